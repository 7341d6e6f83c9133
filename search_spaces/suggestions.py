"""Follow what an error suggests, and keep only suggestions that lead out of it.

A suggestion is made by similarity, where little is known of the rest of the study: the similar name may be taken, or be
wrong for the model. So each is tried before it is shown.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator
from typing import Any

from search_spaces.errors import InputError, Problems
from search_spaces.flow_text import plain_value
from search_spaces.yaml_source import Document, KeyPath, key_text, value_at

_NAMES = re.compile(r"^Did you mean (.+)\?$")
_NAME = re.compile(r"'((?:[^'\\]|\\.)*)'")
_NEAREST = re.compile(r"^The nearest is ([-\d.]+)\.")
_WRITE = re.compile(r"^Write ((?:`[^`]+`(?: and )?)+)")


class UntriedSuggestion(Exception):  # noqa: N818  # no error: it tells that a suggestion stays as it is
    """Signal of a check that it could not decide about a study without work that a suggestion is not worth."""


def followed(document: Document, problem: InputError) -> Iterator[tuple[str, Document, KeyPath]]:
    """Follow each suggestion of a problem.

    Args:
        document: the study that has the problem, in long form.
        problem: with the key path of a value of the document.

    Yields:
        What is suggested, the study that follows it, and where that differs.
    """
    path = _path_of(document, problem.key or "")
    way_out = problem.way_out or ""
    if path is None or not path:
        return
    names, near, write = _NAMES.match(way_out), _NEAREST.match(way_out), _WRITE.match(way_out)
    if names:
        for name in _NAME.findall(names[1]):
            yield (name, *_renamed(document, path, name, problem))
    elif near:
        yield (near[1], *_replaced(document, path, plain_value(near[1])))
    elif write:
        written = [plain_value(text) for text in re.findall(r"`([^`]+)`", write[1])]
        yield (write[1], *_written(document, path, written))


def legal_suggestions(
    error: InputError, document: Document, check: Callable[[Document], object], most: int
) -> InputError:
    """Leave out of an error the suggestions that do not lead out of it.

    Args:
        error: one problem, or several together.
        document: the study that has them.
        check: finds problems of a document; raises InputError.
        most: suggestions that may be tried; those of further problems are left out.
    """
    problems: tuple[InputError, ...] = getattr(error, "problems", (error,))
    tried = 0
    kept = Problems()
    for problem in problems:
        if not _is_tried(problem):
            kept.add(problem)
            continue
        legal = []
        for name, other, path in followed(document, problem):
            tried += 1
            if tried <= most and not _is_refused(other, path, problem, check):
                legal.append(name)
        kept.add(_with_names(problem, legal) if _path_of(document, problem.key or "") else problem)
    try:
        kept.raise_all()
    except InputError as all_of_them:
        return all_of_them
    return error


def _is_tried(problem: InputError) -> bool:
    """Tell whether a suggestion is a name or a value. Whole entries are shown for their form, whatever their values."""
    way_out = problem.way_out or ""
    write = _WRITE.match(way_out)
    return bool(_NAMES.match(way_out)) or (write is not None and ": " not in write[1])


def _with_names(problem: InputError, names: list[str]) -> InputError:
    way_out = f"Did you mean {' or '.join(map(repr, names))}?" if names else None
    if _WRITE.match(problem.way_out or ""):
        way_out = problem.way_out if names else None
    return type(problem)(problem.law, place=problem.place, key=problem.key, way_out=way_out)


def _is_refused(document: Document, path: KeyPath, problem: InputError, check: Callable[[Document], object]) -> bool:
    """Tell whether a study that follows a suggestion has a problem where it follows it, or the same one as before."""
    try:
        check(document)
    except UntriedSuggestion:
        return False
    except InputError as error:
        problems = getattr(error, "problems", (error,))
        keys = [other.key or "" for other in problems]
        at = key_text(path)
        return any(key == at or key.startswith((f"{at}.", f"{at}[")) for key in keys) or str(problem) in map(
            str, problems
        )
    return False


def _path_of(document: Document, key: str) -> KeyPath | None:
    """Find the key path that an error writes as text; None where the document has no such value."""
    return next((path for path in document.origins if key_text(path) == key), None)


def _renamed(document: Document, path: KeyPath, name: str, problem: InputError) -> tuple[Document, KeyPath]:
    """Put a name in the place of a value or, where the problem is of the key itself, of the key."""
    value = value_at(document.value, path)
    is_key = isinstance(path[-1], str) and problem.law.endswith(repr(path[-1])) and value != path[-1]
    if not is_key:
        return _replaced(document, path, plain_value(name) if not isinstance(value, str) else name)
    root = copy.deepcopy(document.value)
    node = value_at(root, path[:-1])
    if name in node:  # a key that is there already: maps go together, anything else would be there twice
        if isinstance(node[name], dict) and isinstance(value, dict):
            node[name] |= node.pop(path[-1])
            return Document(root, document.origins, {}), (*path[:-1], name)
        return Document(root, document.origins, document.texts), path
    items = [(name if key == path[-1] else key, child) for key, child in node.items()]
    node.clear()
    node.update(items)
    new = (*path[:-1], name)
    return Document(root, _moved(document.origins, path, new), _moved(document.texts, path, new)), new


def _replaced(document: Document, path: KeyPath, value: Any) -> tuple[Document, KeyPath]:
    root = copy.deepcopy(document.value)
    value_at(root, path[:-1])[path[-1]] = value
    texts = {known: text for known, text in document.texts.items() if known[: len(path)] != path}
    return Document(root, document.origins, texts), path


def _written(document: Document, path: KeyPath, written: list[Any]) -> tuple[Document, KeyPath]:
    """Put entries in the place of the one that is wrong, or a value in the place of a value."""
    if not all(isinstance(entry, dict) for entry in written):
        return _replaced(document, path, written[0])
    root = copy.deepcopy(document.value)
    node = value_at(root, path[:-1])
    del node[path[-1]]
    for entry in written:
        for key, value in entry.items():
            node[key] = {**node[key], **value} if isinstance(node.get(key), dict) and isinstance(value, dict) else value
    return Document(root, document.origins, {}), path[:-1]


def _moved(table: dict[KeyPath, str], old: KeyPath, new: KeyPath) -> dict[KeyPath, str]:
    return {(*new, *path[len(old) :]) if path[: len(old)] == old else path: text for path, text in table.items()}
