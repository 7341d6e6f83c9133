"""Write out the short forms of a study file."""

from __future__ import annotations

import copy
from typing import Any

from search_spaces.yaml_source import Document, KeyPath, value_at

SHORT_FIELDS = {"vision": "vision.backbone", "projector": "projector.kind", "language": "language.model"}
"""Plain text in the place of these mappings stands for one of their fields."""

_SHORT_FORMS: tuple[tuple[tuple[str, ...], type, str | int], ...] = (
    (("base", "vision"), str, "backbone"),
    (("base", "language"), str, "model"),
    (("base", "projector"), str, "kind"),
    (("recipe",), str, "extends"),
    (("resources",), str, "preset"),
    (("arms", "*", "resources"), str, "preset"),
    (("seeds",), list, "default"),
    (("seeds", "order"), int, 0),
    (("seeds", "init"), int, 0),
    (("seeds", "data"), int, 0),
    (("benchmarks",), str, 0),
    (("benchmarks", "*"), str, "id"),
    (("samples",), str, 0),
    (("samples", "*"), str, "id"),
    (("suites", "*"), str, 0),
    (("suites", "*", "*"), str, "id"),
    (("hypotheses", "*", "on"), str, 0),
)
"""Where (`*`: all keys or positions), which type is a short form, and under which key (or as which item) it goes."""


_IN_ARMS = tuple((("arms", "*", name), str, dotted.removeprefix(f"{name}.")) for name, dotted in SHORT_FIELDS.items())
"""Short forms that stay as they are in a study of one file, as arms are read by dotted paths."""


def with_maps_below(below: Document, above: Document) -> Document:
    """Copy a document with its short forms written out where another one, to be laid on it, has a map."""
    below = Document(copy.deepcopy(below.value), below.origins, below.texts)
    for pattern, short, key in (*_SHORT_FORMS, *_IN_ARMS):
        for path in _matching(above.value, pattern):
            if isinstance(value_at(above.value, path), dict) and path in _matching(below.value, pattern):
                below = _nested(below, path, short, key)
    return below


def long_form(document: Document) -> Document:
    """Write out short forms, so that files merge and types have one form. Places stay those of the short form."""
    for pattern, short, key in _SHORT_FORMS:
        for path in list(_matching(document.value, pattern)):
            document = _nested(document, path, short, key)
    return document


def _matching(value: Any, pattern: tuple[str, ...], path: KeyPath = ()) -> list[KeyPath]:
    if not pattern:
        return [path]
    children: list[tuple[str | int, Any]] = []
    if isinstance(value, dict):
        children = [(key, child) for key, child in value.items() if pattern[0] in ("*", key)]
    elif isinstance(value, list) and pattern[0] == "*":
        children = list(enumerate(value))
    return [match for key, child in children for match in _matching(child, pattern[1:], (*path, key))]


def _nested(document: Document, path: KeyPath, short: type, key: str | int) -> Document:
    node = value_at(document.value, path[:-1])
    value = node[path[-1]]
    if not isinstance(value, short):
        return document
    node[path[-1]] = [value] if isinstance(key, int) else {key: value}

    def moved(table: dict[KeyPath, str]) -> dict[KeyPath, str]:
        depth = len(path)
        return {
            (*known[:depth], key, *known[depth:]) if known[:depth] == path else known: v for known, v in table.items()
        }

    origins = moved(document.origins)
    origins[path] = document.origins.get(path) or document.origin(path) or ""
    return Document(document.value, origins, moved(document.texts))
