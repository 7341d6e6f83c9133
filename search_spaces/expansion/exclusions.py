"""Read which arms a study excludes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from search_spaces.errors import InputError, nearest
from search_spaces.expansion.axes import Axis, value_label
from search_spaces.study import Study
from search_spaces.yaml_source import KeyPath


@dataclass(frozen=True)
class Exclusions:
    """Which arms are left out: of each entry, axis -> labels."""

    rules: tuple[dict[str, frozenset[str]], ...]

    @staticmethod
    def of(study: Study, axes: Sequence[Axis], problems: list[InputError]) -> Exclusions:
        by_name = {axis.name: axis for axis in axes}
        rules = []
        for number, exclude in enumerate(study.exclude):
            where: dict[str, frozenset[str]] = {}
            for name, value in exclude.where.items():
                path: KeyPath = ("exclude", number, "where", name)
                if name not in by_name:
                    if name not in study.axes:
                        way_out = nearest(name, study.axes)
                        problems.append(
                            study.problem(path, f"must name an axis of the study, but got {name!r}", way_out)
                        )
                    continue
                labels = _excluded_labels(study, value, path, by_name[name], problems)
                where[name] = frozenset(labels)
            rules.append(where)
        return Exclusions(tuple(rules))

    def match(self, values: Mapping[str, str]) -> int | None:
        """Position of the first rule that leaves out an arm with these values; None if there is none."""
        for number, where in enumerate(self.rules):
            if all(values.get(axis) in labels for axis, labels in where.items()):
                return number
        return None


def _excluded_labels(study: Study, value: Any, path: KeyPath, axis: Axis, problems: list[InputError]) -> Iterator[str]:
    """A label, or a list of them; a list that is itself one value of the axis is that value."""
    known = [one.label for one in axis.values]
    whole = value_label(study, value, path)
    several = isinstance(value, list) and whole not in known
    labels = [value_label(study, item, (*path, i)) for i, item in enumerate(value)] if several else [whole]
    for label in labels:
        if label not in known:
            problems.append(
                study.problem(
                    path,
                    f"must be a value of the axis {axis.name!r} ({', '.join(known)}), but got {label!r}",
                    nearest(label, known),
                )
            )
        yield label


def seeds_of(study: Study, arm: str) -> tuple[int, ...]:
    """The seeds of an arm."""
    default = study.seeds.get("default", ())
    return study.seeds.get(arm, default)
