"""Read fields that several families of a user's own sets have: options, and answers as people write them."""

from __future__ import annotations

import math
from typing import Any

from search_spaces.alike_names import seen_name
from search_spaces.errors import InputError, nearest
from trainables.benchmarks.files.record_fields import Fields
from trainables.benchmarks.scorers.instructions import LETTERS


def require(row: Fields, key: str) -> None:
    """Check that a field is there. Raises InputError, which names the field that may have been meant."""
    if key in row:
        return
    likely = [name for name in row.names if key in name.casefold()]
    hint = f"Did you mean {likely[0]!r}?" if likely else nearest(key, row.names)
    raise InputError(f"must be given, but the record has {_named(row)}", place=row.place, key=key, way_out=hint)


def _named(row: Fields) -> str:
    return ", ".join(map(repr, row.names[:12])) or "no fields"


def options_of(row: Fields) -> tuple[str, ...]:
    """Read the texts of the options: a list, or an object by letters in their order."""
    if "options" not in row or row.plain("options") is None:
        return ()
    value = row.plain("options")
    if isinstance(value, dict):
        letters = list(LETTERS[: len(value)])
        if [name.upper() for name in value] != letters:
            law = "as an object must have the keys A, B, C, ... in this order"
            raise InputError(law, place=row.place, key="options")
        value = list(value.values())
    if not isinstance(value, list):
        raise InputError("must be a list of texts", place=row.place, key="options")
    options = tuple(plain_text(option, row.place, "options") for option in value)
    if len(options) > len(LETTERS):
        raise InputError(f"must be at most 26, but there are {len(options)}", place=row.place, key="options")
    if len(set(map(seen_name, options))) < len(options):
        raise InputError("must differ, but two are the same", place=row.place, key="options")
    return options


def plain_text(value: Any, place: str, key: str) -> str:
    """Read a text, or a number as people write it; anything else has no one meaning as an answer."""
    if isinstance(value, bool):
        way_out = 'Write the word that is to be answered, in quotes: "yes", or "true".'
        raise InputError(f"must be text, but got {str(value).lower()}", place=place, key=key, way_out=way_out)
    if isinstance(value, int | float):
        if isinstance(value, float) and not math.isfinite(value):
            raise InputError("must be a finite number", place=place, key=key)
        try:
            return str(int(value) if isinstance(value, float) and value.is_integer() else value)
        except ValueError as error:  # Python refuses to write out integers of more than 4,300 digits
            raise InputError("must be a shorter number", place=place, key=key) from error
    if not isinstance(value, str):
        what = "null" if value is None else "a list" if isinstance(value, list) else "an object"
        raise InputError(f"must be text, but got {what}", place=place, key=key)
    if not value.strip():
        raise InputError("must be text, but is empty", place=place, key=key)
    return value
