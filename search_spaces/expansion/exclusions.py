"""Read which arms a study excludes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from search_spaces.errors import nearest
from search_spaces.expansion.axes import Axis, value_label
from search_spaces.expansion.study_reader import StudyReader
from search_spaces.yaml_source import KeyPath


@dataclass(frozen=True)
class Exclusions:
    """Rules that leave out arms: of each entry of `exclude`, axis -> labels."""

    rules: tuple[dict[str, frozenset[str]], ...]

    def match(self, values: Mapping[str, str]) -> int | None:
        """Return the position of the first rule that leaves out an arm with these values; None if there is none."""
        for number, where in enumerate(self.rules):
            if all(values.get(axis) in labels for axis, labels in where.items()):
                return number
        return None


def read_exclusions(reader: StudyReader, axes: Sequence[Axis]) -> Exclusions:
    """Read the entries of `exclude`; names of axes and labels that are not there are refused."""
    by_name = {axis.name: axis for axis in axes}
    rules = []
    for number, exclude in enumerate(reader.study.exclude):
        where: dict[str, frozenset[str]] = {}
        for name, value in exclude.where.items():
            path: KeyPath = ("exclude", number, "where", name)
            if name in by_name:
                where[name] = _excluded_labels(reader, value, path, by_name[name])
            elif name not in reader.study.axes:  # else it is refused where it stands
                way_out = nearest(name, reader.study.axes)
                reader.refuse(path, f"must name an axis of the study, but got {name!r}", way_out)
        rules.append(where)
    return Exclusions(tuple(rules))


def _excluded_labels(reader: StudyReader, value: Any, path: KeyPath, axis: Axis) -> frozenset[str]:
    """Read a label, or a list of them; a list that is itself one value of the axis is that value."""
    known = [member.label for member in axis.values]
    whole = value_label(reader.study, value, path)
    if isinstance(value, list) and whole not in known:
        labels = [value_label(reader.study, item, (*path, i)) for i, item in enumerate(value)]
    else:
        labels = [whole]
    for label in labels:
        if label not in known:
            law = f"must be a value of the axis {axis.name!r} ({', '.join(known)}), but got {label!r}"
            reader.refuse(path, law, nearest(label, known))
    return frozenset(labels)
