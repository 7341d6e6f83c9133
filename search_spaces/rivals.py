"""Name fields of which only one may be set, and find those that a later configuration sets in other words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from search_spaces.short_forms import SHORT_FIELDS
from search_spaces.yaml_source import KeyPath, leaves, value_at

_RIVALS = (("epochs", "max_steps"), ("warmup_steps", "warmup_ratio"))


@cache
def rival(path: str) -> str | None:
    """Return the field that `path` takes the place of, where only one of two may be set."""
    stem, _, name = path.rpartition(".")
    for pair in _RIVALS:
        if name in pair:
            opponent = pair[1 - pair.index(name)]
            return f"{stem}.{opponent}" if stem else opponent
    return None


def is_configuration(path: KeyPath) -> bool:
    """Tell whether a key path of a study leads to fields of a configuration: of the base, of an arm, of a label."""
    return path in (("base",), ("recipe",)) or (len(path), *path[:1]) in ((2, "arms"), (3, "axes"))


def replaced_fields(low: Mapping[str, Any], high: Mapping[str, Any]) -> Iterator[KeyPath]:
    """List the fields of a configuration that one laid on it sets in other words, or by their rivals.

    Args:
        low: fields by nested or dotted keys (``{vision.resize: crop}``, ``{vision: {resize: crop}}``).
        high: the same of the configuration that is laid on top.

    Yields:
        Keys from `low` to a value that must go.
    """
    above = _by_dotted_path(high)
    for dotted, path in _by_dotted_path(low).items():
        opponent = rival(dotted)
        takes_its_place = opponent in above and value_at(high, above[opponent]) is not None
        if above.get(dotted, path) != path or takes_its_place:
            yield path


def _by_dotted_path(configuration: Mapping[str, Any]) -> dict[str, KeyPath]:
    """Map the dotted path of every field to its keys."""
    fields: dict[str, KeyPath] = {}
    for path, value in leaves(dict(configuration)):
        dotted = ".".join(map(str, path))
        fields[SHORT_FIELDS.get(dotted, dotted) if isinstance(value, str) else dotted] = path
    return fields
