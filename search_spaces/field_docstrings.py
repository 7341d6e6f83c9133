"""Read the docstrings below the fields of records: Python drops them, JSON Schemas show them."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import textwrap
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, get_args, get_type_hints

from pydantic import BaseModel


def records_within(record: type) -> dict[str, type]:
    """Map names to the models and dataclasses that one is made of, itself included, however deep in its fields."""
    records: dict[str, type] = {}
    waiting: list[Any] = [record]
    while waiting:
        kind = waiting.pop()
        waiting.extend(get_args(kind))
        if _is_record(kind) and kind.__name__ not in records:
            records[kind.__name__] = kind
            waiting.extend(_annotations(kind))
    return records


def field_docstrings(record: type) -> dict[str, str]:
    """Map the fields of a pydantic model or a dataclass, inherited ones too, to their docstrings, each in one line."""
    documented: dict[str, str] = {}
    for kind in reversed(record.__mro__):
        if _is_record(kind):
            documented.update(_own_docstrings(kind))
    return {name: text for name, text in documented.items() if name in _field_names(record)}


def _is_record(kind: Any) -> bool:
    if not isinstance(kind, type):
        return False
    return dataclasses.is_dataclass(kind) or (issubclass(kind, BaseModel) and kind is not BaseModel)


def _field_names(record: type) -> set[str]:
    if issubclass(record, BaseModel):
        return set(record.model_fields)
    return {field.name for field in dataclasses.fields(record)}  # type: ignore[arg-type]  # `_is_record` has looked


def _annotations(record: type) -> list[Any]:
    if issubclass(record, BaseModel):
        return [field.annotation for field in record.model_fields.values()]
    hints = get_type_hints(record)
    return [hints[name] for name in _field_names(record)]


def _own_docstrings(kind: type) -> Iterator[tuple[str, str]]:
    """Yield the fields that a class itself declares with the docstring that follows each."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(kind)))
    definition = tree.body[0]
    assert isinstance(definition, ast.ClassDef)
    for field, after in pairwise(definition.body):
        match field, after:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                yield name, " ".join(text.split())
