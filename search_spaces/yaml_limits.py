"""Refuse YAML that is larger than any study before anything is made of it: bombs answer as fast as slips do.

Events are counted as the parser gives them, and what an alias repeats as often as it does, so that ten lines that stand
for a billion values are refused after ten lines.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from search_spaces.errors import InputError

MOST_BYTES = 4_000_000
MOST_VALUES = 50_000
"""Keys, scalars, lists and mappings of a file; the largest shipped one has some thousand."""
MOST_DEPTH = 40
MOST_DIGITS = 40
"""Of a whole number: Python takes seconds for a million of them, and then refuses to write them."""

LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the C parser is ten times faster, where it was built


@dataclass(frozen=True)
class _Extent:
    """What a value is made of, aliases written out."""

    values: int = 1
    depth: int = 1


def require_size(path: Path) -> None:
    """Raise InputError for a file that is larger than any study."""
    _require_bytes(path.stat().st_size, str(path))


def check_events(text: str, place: str, line_numbers: bool) -> None:
    """Raise InputError for a written tag, and for a document that is too large or nested too deeply.

    Composed nodes no longer tell a written tag from a resolved one; events do.
    """
    _require_bytes(len(text), place)
    anchored: dict[str, _Extent] = {}
    open_nodes: list[tuple[str | None, int, int]] = []  # anchor, values before it, depth inside of it
    values, deepest = 0, 0
    events: Any = yaml.parse(text, Loader=LOADER)
    for event in events:
        where = f"{place}:{event.start_mark.line + 1}" if line_numbers else place
        tag = getattr(event, "tag", None)
        if tag is not None:
            raise InputError(
                f"a value must be plain, but it has the tag {tag.replace('tag:yaml.org,2002:', '!!')}",
                place=where,
                way_out="Leave out the tag.",
            )
        if isinstance(event, yaml.CollectionStartEvent):
            open_nodes.append((event.anchor, values, deepest))
            values, deepest = values + 1, 0
            inside = 0
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before, beside = open_nodes.pop()
            extent = _Extent(values - before, deepest + 1)
            if anchor is not None:
                anchored[anchor] = extent
            deepest = max(beside, extent.depth)
            inside = deepest
        elif isinstance(event, yaml.AliasEvent):
            extent = anchored.get(event.anchor or "", _Extent())
            values, deepest = values + extent.values, max(deepest, extent.depth)
            inside = extent.depth
        elif isinstance(event, yaml.ScalarEvent):
            if event.anchor is not None:
                anchored[event.anchor] = _Extent()
            values, deepest = values + 1, max(deepest, 1)
            inside = 1
        else:
            continue
        if values > MOST_VALUES:
            law = f"a file must hold at most {MOST_VALUES:,} values, with what aliases repeat, but this has more"
            raise InputError(law, place=where, way_out="Axes and a design stand for many arms in a few lines.")
        if len(open_nodes) + inside > MOST_DEPTH:
            raise InputError(f"values must be nested at most {MOST_DEPTH} deep, but these are deeper", place=where)


def _require_bytes(size: int, place: str) -> None:
    if size > MOST_BYTES:
        law = f"must be at most {MOST_BYTES / 1e6:g} MB, but has {size / 1e6:,.1f} MB"
        raise InputError(law, place=place, way_out="Is it a study?")
