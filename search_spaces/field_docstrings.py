"""Read the docstrings below the fields of models: Python drops them, the JSON Schema shows them."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, get_args

from pydantic import BaseModel


def models_within(model: type[BaseModel]) -> dict[str, type[BaseModel]]:
    """Map names to the models that a model is made of, itself included, however deep in its fields."""
    models: dict[str, type[BaseModel]] = {}
    waiting: list[Any] = [model]
    while waiting:
        kind = waiting.pop()
        waiting.extend(get_args(kind))
        if isinstance(kind, type) and issubclass(kind, BaseModel) and kind.__name__ not in models:
            models[kind.__name__] = kind
            waiting.extend(field.annotation for field in kind.model_fields.values())
    return models


def field_docstrings(model: type[BaseModel]) -> dict[str, str]:
    """Map the fields of a model, inherited ones too, to their docstrings, each in one line."""
    documented: dict[str, str] = {}
    for kind in reversed(model.__mro__):
        if issubclass(kind, BaseModel) and kind is not BaseModel:
            documented.update(_own_docstrings(kind))
    return {name: text for name, text in documented.items() if name in model.model_fields}


def _own_docstrings(kind: type[BaseModel]) -> Iterator[tuple[str, str]]:
    """Yield the fields that a class itself declares with the docstring that follows each."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(kind)))
    definition = tree.body[0]
    assert isinstance(definition, ast.ClassDef)
    for field, after in pairwise(definition.body):
        match field, after:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                yield name, " ".join(text.split())
