"""Find names that people take for one name: only case, white space, accents or unseen signs differ."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable


def seen_name(name: str) -> str:
    """Reduce a name to what is seen of it: composed, in lower case, with single blanks, without format characters."""
    visible = "".join(sign for sign in name if unicodedata.category(sign) != "Cf")
    return unicodedata.normalize("NFC", " ".join(unicodedata.normalize("NFC", visible).casefold().split()))


def alike(names: Iterable[str]) -> list[tuple[str, str]]:
    """List the names that look like an earlier one, as (earlier, later); equal names count once."""
    first: dict[str, str] = {}
    found = []
    for name in dict.fromkeys(names):
        earlier = first.setdefault(seen_name(name), name)
        if earlier != name:
            found.append((earlier, name))
    return found


def shown_apart(earlier: str, later: str) -> str:
    """Write two such names for a message, so that their difference is seen: `'new' and 'new\\u200b'`."""
    is_seen = unicodedata.normalize("NFC", earlier) != unicodedata.normalize("NFC", later)
    return f"{earlier!r} and {later!r}" if is_seen else f"{earlier!a} and {later!a}"
