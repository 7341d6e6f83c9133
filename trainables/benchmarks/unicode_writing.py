"""Find answers that are a right one in other characters: composed accents, curly quotes, wide letters, unseen signs."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

_SIGNS = str.maketrans(
    {
        **dict.fromkeys("\u2018\u2019\u201b\u2032\u00b4\u02bc", "'"),
        **dict.fromkeys("\u201c\u201d\u201e\u2033", '"'),
        **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2212", "-"),
    }
)
"""Quotes and dashes that keyboards and word processors put in the place of those of ASCII."""


def same_in_other_characters(text: str, references: Iterable[str]) -> str | None:
    """Return the reference that a text shows to a reader but is not, white space at the ends apart; None where none is.

    Case is not passed over: whether it counts is a protocol's.
    """
    shown: str | None = None
    for reference in references:
        if text.isascii() and reference.isascii():
            continue
        if text.strip() == reference.strip():
            return None
        if shown is None and _plain(text) == _plain(reference):
            shown = reference
    return shown


def _plain(text: str) -> str:
    text = unicodedata.normalize("NFKC", text.translate(_SIGNS))
    return " ".join("".join(sign for sign in text if unicodedata.category(sign) != "Cf").split())
