"""Lay one document on top of another, or a value of the command line on top of a file."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from search_spaces.errors import InputError
from search_spaces.rivals import is_configuration, replaced_fields, rival
from search_spaces.short_forms import with_maps_below
from search_spaces.yaml_source import Document, KeyPath, parse


def merge(below: Document, above: Document) -> Document:
    """Lay one document on top of another: maps merge, null removes what is below it, everything else replaces.

    A text that stands for a map (`vision: clip-vit-l`) is that map where a map is laid on it, and a text like any
    other where it is laid on a map. A field takes the place of its rival below (`max_steps` of `epochs`), in whatever
    words it is set.
    """
    below = with_maps_below(below, above)
    merge = _Merge(above, dict(below.origins), dict(below.texts))
    return Document(merge.lay(below.value, above.value, ()), merge.origins, merge.texts)


@dataclass(frozen=True)
class _Merge:
    """Merge of two documents: the one above, and the places and texts of what is left."""

    above: Document
    origins: dict[KeyPath, str]
    texts: dict[KeyPath, str]

    def lay(self, low: Any, high: Any, path: KeyPath) -> Any:
        """Return what the values below and above make together, at the same path of both documents."""
        if not isinstance(low, dict) or not isinstance(high, dict):
            return self._replace(high, path)
        result = self._without_replaced(low, high, path) if is_configuration(path) else dict(low)
        for key, child in high.items():
            inner = (*path, key)
            if key not in result:
                result[key] = self._replace(child, inner)
            elif child is None:
                _forget(inner, self.origins, self.texts)
                del result[key]
            else:
                result[key] = self.lay(result[key], child, inner)
        return result

    def _without_replaced(self, low: dict[str, Any], high: dict[str, Any], path: KeyPath) -> dict[str, Any]:
        """Copy a configuration without the fields that the one above sets in other words."""
        result: dict[str, Any] = copy.deepcopy(low)
        for inner in replaced_fields(low, high):
            node: Any = result
            for key in inner[:-1]:
                node = node[key]
            del node[inner[-1]]
            _forget((*path, *inner), self.origins, self.texts)
        return result

    def _replace(self, high: Any, path: KeyPath) -> Any:
        _forget(path, self.origins, self.texts)
        for table, source in ((self.origins, self.above.origins), (self.texts, self.above.texts)):
            table.update({known: text for known, text in source.items() if known[: len(path)] == path})
        return high


def _forget(path: KeyPath, *tables: dict[KeyPath, str]) -> None:
    """Remove a value and everything inside of it from tables of places or texts."""
    for table in tables:
        for known in [known for known in table if known[: len(path)] == path]:
            del table[known]


def place_override(
    document: Document, text: str, *, name_maps: Sequence[str] = (), null_removes: bool = False
) -> Document:
    """Place ``a.b=value`` in a document, as if it had been written there.

    Args:
        document: what to change; it is left as it is.
        text: key path, ``=``, and a YAML value. Keys that hold dots are found if they are there already.
        name_maps: top-level keys whose own keys may hold dots (``axes.vision.resize=[crop]``).
        null_removes: whether a null removes the value that is there, as in a study that extends another.

    Raises:
        InputError: for a text of another form, a value that is no YAML, and a position that a list does not have.
    """
    place = f"--set {text}"
    dotted, equals, written = text.partition("=")
    if not equals or not dotted.strip():
        raise InputError("must have the form KEY=VALUE", place=place, way_out="For example: --set base.epochs=2")
    addition = parse(written, place, line_numbers=False)
    root = _copy(document.value) if isinstance(document.value, dict) else {}
    origins, texts = dict(document.origins), dict(document.texts)
    *above, last = _steps(root, dotted.strip().split("."), name_maps)
    path: KeyPath = ()
    node: Any = root
    for step in above:
        key = _key_of(node, step, place)
        path = (*path, key)
        if not isinstance(_child(node, step), dict | list):
            node[key] = {}
            origins[path] = place
        node = node[key]
    key = _key_of(node, last, place)
    path = (*path, key)
    _forget(path, origins, texts)
    if null_removes and addition.value is None and isinstance(node, dict) and last in node:
        del node[key]
        return Document(root, origins, texts)
    node[key] = addition.value
    origins.update({path + known: where for known, where in addition.origins.items()})
    texts.update({path + known: scalar for known, scalar in addition.texts.items()})
    _drop_rival(root, path, origins, texts)
    return Document(root, origins, texts)


def _drop_rival(root: Any, path: KeyPath, origins: dict[KeyPath, str], texts: dict[KeyPath, str]) -> None:
    """Remove the field that the one at `path` takes the place of, where it stands beside it."""
    opponent = rival(str(path[-1]))
    if opponent is None or path[0] not in ("base", "recipe", "arms"):
        return
    node = root
    for key in path[:-1]:
        node = node[key]
    if opponent in node and node[path[-1]] is not None:
        del node[opponent]
        _forget((*path[:-1], opponent), origins, texts)


def _key_of(node: dict[str, Any] | list[Any], step: str, place: str) -> str | int:
    """Turn a step of a dotted path into a key of a mapping or a position of a list."""
    if isinstance(node, dict):
        return step
    if not step.isdigit() or int(step) >= len(node):
        raise InputError(f"the position must be a number from 0 to {len(node) - 1}, but got {step!r}", place=place)
    return int(step)


def _child(node: Any, step: str) -> Any:
    """Return what a step of a dotted path leads to; None where there is nothing."""
    if isinstance(node, dict):
        return node.get(step)
    if isinstance(node, list) and step.isdigit() and int(step) < len(node):
        return node[int(step)]
    return None


def _steps(root: dict[str, Any], parts: list[str], name_maps: Sequence[str]) -> list[str]:
    """Split a dotted path into keys, where keys that exist may hold dots themselves."""
    steps: list[str] = []
    node: Any = root
    while parts:
        lengths = range(len(parts), 0, -1) if isinstance(node, dict) else ()
        known = [length for length in lengths if ".".join(parts[:length]) in node]
        is_name = len(steps) == 1 and steps[0] in name_maps
        length = known[0] if known else len(parts) if is_name else 1
        steps.append(".".join(parts[:length]))
        parts = parts[length:]
        node = _child(node, steps[-1])
    return steps


def _copy(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copy(child) for key, child in value.items()}
    return [_copy(child) for child in value] if isinstance(value, list) else value
