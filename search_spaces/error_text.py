"""Say an error in one line: in a message, in a table, in a record of a failure."""

from __future__ import annotations


def first_line(message: BaseException | str) -> str:
    """Return the first line of a message; of an error without one, the name of its type."""
    without_message = "no message" if isinstance(message, str) else type(message).__name__
    return (str(message).strip() or without_message).splitlines()[0]


def named_message(error: BaseException) -> str:
    """Return the whole message of an error after the name of its type."""
    text = str(error).strip()
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
