"""Lay entries of a catalogue or a study on those that they extend: maps merge, lists replace, null removes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from search_spaces.errors import InputError, Problems, nearest
from search_spaces.overlay import merge
from search_spaces.yaml_source import Document, KeyPath, key_text

_EXTENDS = "extends"


def with_inherited(document: Document, path: KeyPath, shipped: Document | None = None) -> Document:
    """Replace every entry that has `extends` by what it and the entry that it extends make together.

    Args:
        document: a catalogue, or a study.
        path: where its entries are, by name; nothing happens where there are none.
        shipped: entries that may be extended, too: of a study those of the catalogue. One of an entry's own name is
            the shipped one.

    Raises:
        InputError: all entries that extend one that is not there, or that lead back to themselves.
    """
    entries = _value(document, path)
    if not isinstance(entries, dict):
        return document
    problems, family = Problems(), _Family(document, path, shipped)
    for name, entry in entries.items():
        if isinstance(entry, dict) and _EXTENDS in entry:
            whole = problems.attempt(partial(family.whole, name, ()))
            if whole is not None:
                document = merge(_without(document, (*path, name)), whole)
    problems.raise_all()
    return document


class _Family:
    """Entries that may extend one another, each as a document that holds it alone."""

    def __init__(self, document: Document, path: KeyPath, shipped: Document | None):
        self._document, self._path, self._shipped = document, path, shipped
        self._own: dict[str, Any] = _value(document, path)
        self._others: dict[str, Any] = shipped.value if shipped is not None else {}

    def whole(self, name: str, below: Sequence[str]) -> Document:
        """Make an entry whole. Raises InputError."""
        entry = self._own[name]
        if not isinstance(entry, dict) or _EXTENDS not in entry:
            return _moved(self._document, (*self._path, name), (*self._path, name))
        parent = self._parent(name, entry[_EXTENDS], [*below, name])
        own = _moved(self._document, (*self._path, name), (*self._path, name))
        whole = merge(parent, _without(own, (*self._path, name, _EXTENDS)))
        return Document(whole.value, {**whole.origins, **_at(own.origins, (*self._path, name))}, whole.texts)

    def _parent(self, name: str, extended: Any, chain: Sequence[str]) -> Document:
        """Find what an entry extends: another entry beside it, or a shipped one."""
        if isinstance(extended, str) and extended in self._own and extended not in chain:
            return _moved(self.whole(extended, chain), (*self._path, extended), (*self._path, name))
        if isinstance(extended, str) and extended in self._others and (extended == name or extended not in self._own):
            assert self._shipped is not None
            return _moved(self._shipped, (extended,), (*self._path, name))
        place = self._document.origin((*self._path, name, _EXTENDS))
        key = key_text((*self._path, name, _EXTENDS))
        if isinstance(extended, str) and extended in self._own:
            circle = " -> ".join([*chain, str(extended)])
            raise InputError(f"must not lead back to an entry, but: {circle}", place=place, key=key)
        legal = [other for other in (*self._own, *self._others) if other != name]
        law = f"must be one of {', '.join(legal)}, but got {extended!r}"
        raise InputError(law, place=place, key=key, way_out=nearest(str(extended), legal))


def _value(document: Document, path: KeyPath) -> Any:
    value = document.value
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _moved(document: Document, old: KeyPath, new: KeyPath) -> Document:
    """Take the value at a path, with its places and texts, to a path of a document that holds it alone."""
    part = Document(_value(document, old), _below(document.origins, old), _below(document.texts, old))
    return _nested(part, new)


def _at(table: dict[KeyPath, str], path: KeyPath) -> dict[KeyPath, str]:
    return {path: table[path]} if path in table else {}


def _below(table: dict[KeyPath, str], path: KeyPath) -> dict[KeyPath, str]:
    return {known[len(path) :]: text for known, text in table.items() if known[: len(path)] == path}


def _nested(part: Document, path: KeyPath) -> Document:
    """Put a document at a path of another that holds it alone."""
    value = part.value
    for key in reversed(path):
        value = {key: value}
    return Document(
        value,
        {(*path, *known): text for known, text in part.origins.items()},
        {(*path, *known): text for known, text in part.texts.items()},
    )


def _without(document: Document, path: KeyPath) -> Document:
    """Leave out the value at a path, whose last key is one of a map."""
    *outer, last = path

    def copied(value: Any, keys: Sequence[Any]) -> Any:
        if not keys:
            return {key: child for key, child in value.items() if key != last}
        return {**value, keys[0]: copied(value[keys[0]], keys[1:])}

    def kept(table: dict[KeyPath, str]) -> dict[KeyPath, str]:
        return {known: text for known, text in table.items() if known[: len(path)] != path}

    return Document(copied(document.value, outer), kept(document.origins), kept(document.texts))
