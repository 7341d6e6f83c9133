"""The first line of an error is never empty, and its named message has the type and all lines."""

from __future__ import annotations

import pytest

from search_spaces.error_text import first_line, named_message


@pytest.mark.parametrize(
    ("message", "line"),
    [
        (ValueError("\nbad value\nmore of it"), "bad value"),
        (KeyError(), "KeyError"),
        ("CUDA is gone\nsecond line", "CUDA is gone"),
        (" \n", "no message"),
    ],
)
def test_first_line_is_never_empty(message: Exception | str, line: str) -> None:
    assert first_line(message) == line


@pytest.mark.parametrize(
    ("error", "message"), [(ValueError("bad\nvalue"), "ValueError: bad\nvalue"), (TimeoutError(), "TimeoutError")]
)
def test_named_message_has_the_type_and_all_lines(error: Exception, message: str) -> None:
    assert named_message(error) == message
