"""Say what is wrong with a text that is no JSON, in words that name no part of Python."""

from __future__ import annotations

import json


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
