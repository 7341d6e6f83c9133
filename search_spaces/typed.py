"""Read plain values as typed ones, with errors that name place, key, law, value and the nearest legal value."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import islice
from typing import Annotated, Any, TypeVar, get_args, get_origin, get_type_hints

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from search_spaces.errors import InputError, Problems, nearest
from search_spaces.flow_text import flow_text
from search_spaces.scalar_hints import scalar_hint
from search_spaces.yaml_source import Document, KeyPath, key_text, show, value_at

T = TypeVar("T")

MOST_QUOTED = 100
"""Items of a list that an error quotes."""

_KINDS = {
    "string_type": "must be text",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "bool_type": "must be true or false",
    "tuple_type": "must be a list",
    "list_type": "must be a list",
    "dict_type": "must be a mapping",
    "model_type": "must be a mapping",
    "model_attributes_type": "must be a mapping",
}
"""Kinds of pydantic's errors in the words of this program."""


def typed(kind: type[T], document: Document, path: KeyPath = (), value: Any = None) -> T:
    """Read a plain value as `kind`, a model or any annotation.

    Args:
        kind: what it is to be. Nothing is converted: ``"1"`` is no number and ``1.0`` no whole number.
        document: where the value comes from.
        path: its path in the document.
        value: the value; by default that of the whole document.

    Raises:
        InputError: everything that is wrong with the value, together.
    """
    plain = document.value if value is None and not path else value
    try:
        # by way of JSON, whose strict reading takes lists for tuples but no text for numbers
        return adapter(kind).validate_json(json.dumps(plain), strict=True)
    except ValidationError as error:
        details = error.errors()
        Problems(
            _problem(detail, kind, document, path, plain) for detail in details if not _follows(detail, details)
        ).raise_all()
        raise  # every error of pydantic makes a problem


def _follows(detail: ErrorDetails, details: Sequence[ErrorDetails]) -> bool:
    """Tell whether a list is only too short because its items were refused."""
    depth = len(detail["loc"])
    return detail["type"] == "too_short" and any(
        len(inner["loc"]) > depth and inner["loc"][:depth] == detail["loc"] for inner in details
    )


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def adapter(kind: type[T]) -> TypeAdapter[T]:
    """Return the validator of an annotation, made once."""
    made: TypeAdapter[T] = _adapter(kind)  # type: ignore[arg-type]  # mypy takes types for unhashable
    return made


def field_kind(field: FieldInfo) -> Any:
    """Return the annotation of a model's field with its constraints."""
    annotation: Any = field.annotation
    for constraint in field.metadata:
        annotation = Annotated[annotation, constraint]
    return annotation


def nested_models(model: type[BaseModel]) -> dict[str, type[BaseModel]]:
    """Map the fields of a model that are models themselves to these."""
    kinds = {name: field.annotation for name, field in model.model_fields.items()}
    return {name: kind for name, kind in kinds.items() if isinstance(kind, type) and issubclass(kind, BaseModel)}


def _problem(detail: ErrorDetails, kind: Any, document: Document, path: KeyPath, value: Any) -> InputError:
    inside = _inside(detail["loc"], value)
    whole = path + inside
    law, way_out = _law(detail, kind, inside, document, whole)
    return InputError(law, place=document.origin(whole), key=key_text(whole) or None, way_out=way_out)


def _law(
    detail: ErrorDetails, kind: Any, inside: KeyPath, document: Document, whole: KeyPath
) -> tuple[str, str | None]:
    given = detail["input"]
    is_nested = isinstance(given, list | dict)
    got = flow_text(_beginning(given), document, whole) if is_nested else document.text(whole, given)
    match detail["type"]:
        case "missing":
            return "must be given", None
        case "extra_forbidden":
            key, legal = str(inside[-1]), legal_keys(kind, inside[:-1])
            return f"must be one of {', '.join(legal)}, but got {key!r}", nearest(key, legal)
        case "literal_error":
            legal = [str(choice) for choice in _choices(detail)]
            return f"must be one of {', '.join(legal)}, but got {got!r}", nearest(got, legal)
        case kind_of_error if kind_of_error in _KINDS:
            law = f"{_KINDS[kind_of_error]}, but got {_quoted(detail['input'], got)}"
            return law, _hint_of_pair(document, whole) or scalar_hint(kind_of_error, detail["input"])
        case "too_short":
            return f"must have at least {detail['ctx']['min_length']}, but got {detail['ctx']['actual_length']}", None
        case "too_long":
            return f"must have at most {detail['ctx']['max_length']}, but got {detail['ctx']['actual_length']}", None
        case "value_error":
            return detail["msg"].removeprefix("Value error, "), None
        case _:
            law = detail["msg"].replace("Input should be ", "must be ").replace("Input should ", "must ")
            law = law[0].lower() + law[1:]
            return f"{law}, but got {_quoted(detail['input'], got)}", None


def _hint_of_pair(document: Document, whole: KeyPath) -> str | None:
    """Say how one pair is written in the list of `pairs`; None where the value is no member of two names there."""
    if len(whole) < 2 or whole[-2] != "pairs" or not isinstance(whole[-1], int):
        return None
    pair = value_at(document.value, whole[:-1])
    is_pair = isinstance(pair, list) and len(pair) == 2 and all(isinstance(name, str) for name in pair)
    return f"Write `pairs: {flow_text([pair])}`." if is_pair else None


def _beginning(value: list[Any] | dict[str, Any]) -> list[Any] | dict[str, Any]:
    """Return what an error quotes of a list or a mapping: the beginning of a long one."""
    if isinstance(value, dict):
        return dict(islice(value.items(), MOST_QUOTED))
    return value[:MOST_QUOTED]


def _quoted(value: Any, text: str) -> str:
    return repr(text) if isinstance(value, str) else text or show(value)


def _choices(detail: ErrorDetails) -> list[str]:
    listed = str(detail.get("ctx", {}).get("expected", "")).replace(" or ", ", ")
    return [choice.strip().strip("'") for choice in listed.split(",") if choice.strip()]


def _inside(location: tuple[int | str, ...], value: Any) -> KeyPath:
    """Strip the names of union members off pydantic's location: keep the parts that lead through the value."""
    path: list[str | int] = []
    for number, part in enumerate(location):
        last = number == len(location) - 1
        if part == "[key]" and last:  # the key itself was refused
            break
        if isinstance(value, Mapping):
            if part in value:
                path.append(part)
                value = value[part]
            elif last:
                path.append(part)  # a missing key
        elif isinstance(value, list) and isinstance(part, int) and part < len(value):
            path.append(part)
            value = value[part]
        elif isinstance(value, list) and isinstance(part, int) and last:
            path.append(part)
    return tuple(path)


def legal_keys(kind: Any, path: KeyPath) -> list[str]:
    """List the keys that a value of this kind has at a path inside of it, in the order of declaration."""
    models = _models_at(kind, path)
    return list(dict.fromkeys(field.alias or name for model in models for name, field in model.model_fields.items()))


def _models_at(kind: Any, path: KeyPath) -> list[type[BaseModel]]:
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _models_at(arguments[0], path)
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return _models_inside(kind, path)
    if origin in (dict, list, tuple):
        return [model for inner in arguments for model in _models_at(inner, path[1:])] if path else []
    return [model for inner in arguments for model in _models_at(inner, path)]  # a union; none of a plain type


def _models_inside(model: type[BaseModel], path: KeyPath) -> list[type[BaseModel]]:
    if not path:
        return [model]
    field = model.model_fields.get(str(path[0]))
    if field is not None:
        return _models_at(field.annotation, path[1:])
    has_extra = "__pydantic_extra__" in model.__annotations__
    return _models_at(_extra_kind(model), path[1:]) if has_extra else []


def _extra_kind(model: type[BaseModel]) -> Any:
    """Return what further keys of a model hold (pydantic keeps it as the annotation `dict[str, KIND]`)."""
    hints = get_type_hints(model, include_extras=True)
    return get_args(hints["__pydantic_extra__"])[1]
