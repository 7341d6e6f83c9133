"""Say an error in one line: in a message, in a table, in a record of a failure."""

from __future__ import annotations

import traceback

from search_spaces.credentials import without_credentials


def first_line(message: BaseException | str) -> str:
    """Return the first line of a message; of an error without one, the name of its type."""
    without_message = "no message" if isinstance(message, str) else type(message).__name__
    return without_credentials((str(message).strip() or without_message).splitlines()[0])


def traceback_text() -> str:
    """Return the traceback of the error that is being handled, without the secrets in addresses."""
    return without_credentials(traceback.format_exc())


def named_message(error: BaseException) -> str:
    """Return the whole message of an error after the name of its type."""
    text = without_credentials(str(error).strip())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
