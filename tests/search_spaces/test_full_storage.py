"""A file system without space is told from other errors."""

from __future__ import annotations

import errno

import pytest

from search_spaces.full_storage import is_full


def caused(by: Exception) -> Exception:
    error = RuntimeError("could not save")
    error.__cause__ = by
    return error


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), True),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), True),
        (RuntimeError("Error while serializing: I/O error: No space left on device (os error 28)"), True),
        (RuntimeError("(sqlite3.OperationalError) database or disk is full"), True),
        (caused(OSError(errno.ENOSPC, "full")), True),
        (OSError(errno.EACCES, "Permission denied"), False),
        (ValueError("28"), False),
        (caused(ValueError("broken")), False),
    ],
)
def test_is_full_is_told_by_number_words_or_cause(error: Exception, expected: bool) -> None:
    assert is_full(error) is expected
