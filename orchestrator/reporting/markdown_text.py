"""Write text of users into Markdown so that it stays text: no HTML, no link, no image, no further cell or line.

HTML and links are undone by character references, which a backslash before them cannot switch off.
"""

from __future__ import annotations

import re

_LINES = re.compile(r"\s*[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]+\s*")
_TAG = re.compile(r"<(?=[A-Za-z/!?])")
_BEFORE_TARGET = re.compile(r"\](?=[(\[:])")
_BLOCK = re.compile(r"^(\s*)([#>+*=|~-]|\d+(?=[.)]\s))")
_PIPE = re.compile(r"(\\*)\|")


def inline(text: str) -> str:
    """Write text as part of a line."""
    text = _LINES.sub(" ", text)
    return _BEFORE_TARGET.sub("&#93;", _TAG.sub("&lt;", text))


def line(text: str) -> str:
    """Write text as a line of its own, which is no heading, list, quotation or rule."""
    return _BLOCK.sub(lambda match: f"{match[1]}&#{ord(match[2][0])};{match[2][1:]}", inline(text))


def cell(text: str) -> str:
    """Write text as a cell of a table."""
    return _PIPE.sub(lambda match: f"{match[1] * 2}\\|", inline(text))
