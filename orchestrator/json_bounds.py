"""Bound what a command prints as JSON: some of its fields alone, and the first items of long lists."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from search_spaces.errors import InputError, nearest

MOST_ITEMS = 5
"""Of a list in a brief document."""
MOST_CHARACTERS = 300
"""Of a text in a brief document; a longer one ends with an ellipsis."""
ALWAYS = "schema_version"


@dataclass(frozen=True)
class Bounds:
    """What is printed of a JSON document."""

    select: tuple[tuple[str, ...], ...] = ()
    """Paths of fields, each a key after the other; lists are passed through. None for all fields."""
    is_brief: bool = False
    """Whether long lists and texts are cut."""

    def applied_to(self, document: Mapping[str, Any]) -> dict[str, Any]:
        """Return the document within these bounds; `left_out` of a brief one counts items that were cut, by list.

        Raises:
            InputError: if a selected field is nowhere in the document.
        """
        bounded = dict(document)
        if self.select:
            found: set[tuple[str, ...]] = set()
            bounded = _selected(bounded, (*self.select, (ALWAYS,)), (), found)
            for path in self.select:
                if path not in found:
                    raise _no_such_field(path, document)
        if self.is_brief:
            left_out: dict[str, int] = {}
            bounded = _brief(bounded, "", left_out)
            if left_out:
                bounded["left_out"] = left_out
        return bounded


UNBOUNDED = Bounds()
"""The complete document."""
CURRENT: ContextVar[Bounds] = ContextVar("bounds", default=UNBOUNDED)
"""Bounds of the command that runs."""


@contextmanager
def bounds(chosen: Bounds) -> Iterator[None]:
    """Let documents that are printed while the block runs keep within bounds."""
    token = CURRENT.set(chosen)
    try:
        yield
    finally:
        CURRENT.reset(token)


def _selected(value: Any, paths: Sequence[tuple[str, ...]], place: tuple[str, ...], found: set[tuple[str, ...]]) -> Any:
    """Keep the fields that paths lead to, and note those that were there."""
    if isinstance(value, list | tuple | Iterator):
        items = [_selected(item, paths, place, found) for item in value]
        if not items:  # what they would have is not known
            found.update((*place, *path) for path in paths)
        return items
    if value is None:
        found.update((*place, *path) for path in paths)
    if not isinstance(value, dict):
        return value
    kept: dict[str, Any] = {}
    for key, inner in value.items():
        rests = [path[1:] for path in paths if path[0] == key]
        narrower = [rest for rest in rests if rest]
        if len(narrower) < len(rests):  # the field as a whole: narrower paths are only looked for
            found.add((*place, key))
            kept[key] = inner = _listed(inner) if narrower else inner
        if narrower:
            part = _selected(inner, narrower, (*place, key), found)
            kept.setdefault(key, part)
    return kept


def _listed(value: Any) -> Any:
    """Make lists of iterators, which can be read once only."""
    if isinstance(value, dict):
        return {key: _listed(inner) for key, inner in value.items()}
    return [_listed(item) for item in value] if isinstance(value, list | tuple | Iterator) else value


def _no_such_field(path: tuple[str, ...], document: Mapping[str, Any]) -> InputError:
    name = ".".join(path)
    known = list(document)
    way_out = nearest(path[0], known) if path[0] not in document else None
    fields = f"At the top are {', '.join(known)}."
    return InputError(
        f"must be fields of the document, but {name!r} is none", key="--select", way_out=way_out or fields
    )


def _brief(value: Any, place: str, left_out: dict[str, int]) -> Any:
    """Cut long lists and texts, and count what was left out of the lists at a place."""
    if isinstance(value, dict):
        return {key: _brief(inner, f"{place}.{key}" if place else key, left_out) for key, inner in value.items()}
    if isinstance(value, list | tuple | Iterator):
        items = list(value)
        if len(items) > MOST_ITEMS:
            left_out[place] = left_out.get(place, 0) + len(items) - MOST_ITEMS
        return [_brief(item, place, left_out) for item in items[:MOST_ITEMS]]
    if isinstance(value, str) and len(value) > MOST_CHARACTERS:
        return f"{value[:MOST_CHARACTERS]}..."
    return value
