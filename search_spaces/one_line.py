"""Write texts of data and of models on one line, so that they are read and never obeyed."""

from __future__ import annotations

import re

_OBEYED = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters, breaks of lines and paragraphs, changes of direction, and halves of characters."""


def one_line(text: str) -> str:
    r"""Escape what a terminal or a page would obey instead of showing it: `\n`, `\x1b`."""
    return _OBEYED.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)
