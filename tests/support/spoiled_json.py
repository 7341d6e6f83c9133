"""JSON values spoiled at any place: a part gone, swapped, twice, of another type, or huge."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

OTHERS = (None, True, 0, -1, 1.5, "", "x", [], {}, [[]], {"x": None}, float("nan"), float("-inf"))
HUGE = (10**400, 1e308, "9" * 5000, "x" * 100_000, [0] * 10_000, "\ud800", "\0", "../../x", "-" * 5000)
DEPTH = 300


@st.composite
def spoiled(draw: st.DrawFn, value: Any) -> Any:
    """Draw a copy of a value that is spoiled at one place, or as a whole."""
    value = copy.deepcopy(value)
    places = list(_places(value))
    how = draw(st.sampled_from(["gone", "swapped", "twice", "other", "huge", "deep"]))
    if not places:
        return draw(st.sampled_from(OTHERS))
    parent, key = draw(st.sampled_from(places))
    match how:
        case "gone":
            del parent[key]
        case "swapped":
            another, its_key = draw(st.sampled_from(places))
            parent[key], another[its_key] = copy.deepcopy(another[its_key]), copy.deepcopy(parent[key])
        case "twice" if isinstance(parent, list):
            parent.insert(key, copy.deepcopy(parent[key]))
        case "twice":
            parent[f"{key}2"] = parent[key]
        case "other":
            parent[key] = draw(st.sampled_from(OTHERS))
        case "huge":
            parent[key] = draw(st.sampled_from(HUGE))
        case "deep":
            for _ in range(DEPTH):
                parent[key] = [parent[key]]
    return value


@st.composite
def spoiled_bytes(draw: st.DrawFn, content: bytes) -> bytes:
    """Draw bytes that differ from the content at one place: cut, flipped, put in or doubled."""
    at = draw(st.integers(0, max(0, len(content) - 1)))
    match draw(st.sampled_from(["cut", "flipped", "put in", "doubled", "from there"])):
        case "cut":
            return content[:at]
        case "flipped" if content:
            return content[:at] + bytes([content[at] ^ (1 << draw(st.integers(0, 7)))]) + content[at + 1 :]
        case "put in":
            return content[:at] + draw(st.binary(min_size=1, max_size=8)) + content[at:]
        case "doubled":
            return content + content[at:]
    return content[at:]


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """List the places of all parts of a value: (mapping or list, key)."""
    for key in list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield value, key
        yield from _places(value[key])
