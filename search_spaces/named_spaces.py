"""Find the parameters that another tool's file searches, by their names there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from search_spaces.other_tools import ForeignSpace, called_space, foreign_space, listed_texts, word_of, words
from search_spaces.yaml_source import Document, KeyPath

SPACES = words(
    "parameters params parameter param paramspace searchspace hyperparameters hyperparams hparams matrix sweep sweeps"
    " grid space variants variables vars config sweeper parameterranges flags factors studyspec spec hydra strategy"
    " search foreach searcher sweeperparams method metric defaults objective tuner earlyterminate program command"
    " numsamples ntrials tuneconfig runcap algorithm"
)
"""Keys of other tools' files (in lower case, without `_` and `-`) that hold search spaces or say how to search them."""

_NAMES = words("name parameterid parametername param field path")
"""Keys that hold the name of a parameter."""


def named_spaces(value: Any, document: Document, path: KeyPath) -> Iterator[tuple[str, ForeignSpace]]:
    """List the parameters that a part of another tool's file searches, by their names there.

    Args:
        value: a mapping of names to spaces, or a list of mappings with `name`; nested ones are looked through.
        document: knows how scalars were written.
        path: where the document has the value.
    """
    if isinstance(value, list):
        for i, item in enumerate(value):
            if isinstance(item, Mapping):
                yield from _named_item(item, document, (*path, i))
    elif isinstance(value, Mapping):
        for key, child in value.items():
            space = _as_space(child, document, (*path, key))
            if space is not None and space.texts:
                yield str(key), space
            elif isinstance(child, Mapping | list):
                below = named_spaces(child, document, (*path, key))
                prefix = "" if word_of(key) in SPACES or word_of(key) == "parameters" else f"{key}."
                yield from ((f"{prefix}{name}", space) for name, space in below)


def _named_item(item: Mapping[str, Any], document: Document, path: KeyPath) -> Iterator[tuple[str, ForeignSpace]]:
    names = [key for key in item if word_of(key) in _NAMES]
    if not names:
        yield from named_spaces(item, document, path)
        return
    rest = {key: child for key, child in item.items() if key not in names}
    space = foreign_space(rest, document, path)
    if space is not None and space.texts:
        yield str(item[names[0]]), space


def _as_space(child: Any, document: Document, path: KeyPath) -> ForeignSpace | None:
    if isinstance(child, list):
        maps = [item for item in child if isinstance(item, Mapping)]
        if any(word_of(key) in _NAMES for item in maps for key in item):
            return None
        own = ForeignSpace(listed_texts(child, document, path), False) if child and not maps else None
        return foreign_space(child, document, path) or own
    if isinstance(child, str):
        return foreign_space(child, document, path) if called_space(child) or "," in child else None
    return foreign_space(child, document, path) if isinstance(child, Mapping) else None
