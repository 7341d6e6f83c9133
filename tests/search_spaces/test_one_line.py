"""Texts of data and of models are shown, and never obeyed."""

from __future__ import annotations

import pytest

from search_spaces.one_line import one_line


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("red\x1b[2J", r"red\x1b[2J"),
        ("two\nlines\r\n", r"two\nlines\r\n"),
        ("\x9b31m\x07", r"\x9b31m\x07"),
        ("\u202egnp.exe\u2028", r"\u202egnp.exe\u2028"),
        ("half \ud83d", r"half \ud83d"),
    ],
)
def test_what_a_terminal_would_obey_is_escaped(text: str, shown: str) -> None:
    assert one_line(text) == shown


@pytest.mark.parametrize("text", ["What is it?", "Größe 数据 \N{WOMAN}\u200d\N{PERSONAL COMPUTER}", r"C:\new", ""])
def test_other_texts_stay_as_they_are(text: str) -> None:
    assert one_line(text) == text
