"""Say how a scalar of a wrong type would be written as one of the right type."""

from __future__ import annotations

import re
from typing import Any

from search_spaces.flow_text import flow_text, plain_value

_UNITS = re.compile(r"([-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?)\s*(?:px|pixels|k|epochs?|steps?|tokens?)")
_TRUTH = {"yes": "true", "on": "true", "y": "true", "true": "true", "no": "false", "off": "false", "n": "false"}


def scalar_hint(kind_of_error: str, value: Any) -> str | None:
    """Say how a value of a wrong type would be written as one of the right type; None where that is not plain.

    Args:
        kind_of_error: pydantic's name of it.
        value: what there is.
    """
    if isinstance(value, str):
        return _text_hint(kind_of_error, value.strip())
    if kind_of_error == "int_from_float" and isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return f"Write `{int(value)}`."
    if kind_of_error in ("tuple_type", "list_type") and isinstance(value, int | float) and not isinstance(value, bool):
        return f"Write `[{flow_text(value)}]`."
    if kind_of_error == "string_type" and isinstance(value, int | float | bool):
        return "Write it in quotes."
    return None


def _text_hint(kind_of_error: str, text: str) -> str | None:
    match kind_of_error:
        case "int_type" | "float_type":
            bare = text.removesuffix("%").replace("_", "")
            unit = _UNITS.fullmatch(bare)
            number = plain_value(unit[1] if unit else bare)
            if isinstance(number, bool) or not isinstance(number, int | float):
                return None
            number = number / 100 if text.endswith("%") else number
            is_whole = isinstance(number, int) or number.is_integer()
            if kind_of_error == "int_type":
                return f"Write `{int(number)}`." if is_whole else None
            return f"Write `{flow_text(number) if unit or text.endswith('%') else bare}`."
        case "bool_type":
            truth = _TRUTH.get(text.lower())
            return f"Write `{truth}`." if truth else None
        case "tuple_type" | "list_type":
            items = [part.strip() for part in text.strip("[]()").split(",") if part.strip()]
            return f"Write `[{', '.join(flow_text(plain_value(item)) for item in items)}]`." if items else None
        case _:
            return None
