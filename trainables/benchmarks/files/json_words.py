"""Read JSON objects with each key once, and say what is wrong with other texts in words that name no part of Python."""

from __future__ import annotations

import json
from typing import Any


def what_is_wrong(error: ValueError | RecursionError) -> str:
    """Say what the standard library's decoder stumbled over, as the end of a sentence; without the place."""
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if isinstance(error, json.JSONDecodeError):
        return error.msg
    return "a number has too many digits" if "int_max_str_digits" in str(error) else str(error)


def where_and_what(error: ValueError | RecursionError) -> str:
    """Say the same with the line and column in the text, where these are known."""
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at line {error.lineno}, column {error.colno}"
    return what_is_wrong(error)


def object_of(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make a JSON object of its keys and values; a hook for `json`.

    Raises:
        ValueError: if a key is there twice, which `json` passes over.
    """
    value = dict(pairs)
    if len(value) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"the key {next(key for key in keys if keys.count(key) > 1)!r} is there twice")
    return value
