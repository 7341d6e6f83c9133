"""Read the axes of a study and label their values."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from search_spaces.errors import InputError
from search_spaces.expansion.fields import SHORT_FIELDS, rival
from search_spaces.expansion.patches import Patch, same
from search_spaces.expansion.study_reader import PatchReader
from search_spaces.study import Study
from search_spaces.yaml_source import KeyPath, show


@dataclass(frozen=True)
class AxisValue:
    label: str
    patch: Patch
    path: KeyPath
    is_base: bool = False


@dataclass(frozen=True)
class Axis:
    name: str
    values: tuple[AxisValue, ...]
    fields: frozenset[str]
    """Dotted paths that its values set."""


def read_axes(study: Study, base: Patch, reader: PatchReader, problems: list[InputError]) -> list[Axis]:
    """The axes with their values as patches; what equals the base's own value is marked so."""
    axes = []
    for name, written in study.axes.items():
        path: KeyPath = ("axes", name)
        if isinstance(written, list):
            entries: list[tuple[str, Any, KeyPath]] = [
                (label, item, (*path, i))
                for i, (label, item) in enumerate(zip(axis_labels(study, name), written, strict=True))
            ]
        elif isinstance(written, dict):
            entries = [(label, value, (*path, label)) for label, value in written.items()]
        else:
            problems.append(study.problem(path, f"must be a list of values, or a mapping, but got {show(written)!r}"))
            continue
        if not entries:
            problems.append(study.problem(path, "an axis must have at least one value, but it has none"))
            continue
        axes.append(_read_axis(study, name, entries, base, reader, problems))
    return axes


def _read_axis(
    study: Study,
    name: str,
    entries: Sequence[tuple[str, Any, KeyPath]],
    base: Patch,
    reader: PatchReader,
    problems: list[InputError],
) -> Axis:
    values: dict[str, AxisValue] = {}
    for label, value, path in entries:
        if isinstance(value, dict):
            patch = reader.read({name: value} if reader.are_below(name, value) else value, path)
        elif not reader.is_field(name):
            problems.append(reader.unknown(name, ("axes", name)))
            break
        else:
            patch = {}
            reader.read_value(name, value, path, patch)
        if label in values:
            problems.append(study.problem(path, f"the values of an axis must differ, but {label!r} is there twice"))
        is_base = all(same(leaf.value, base[one].value if one in base else None) for one, leaf in patch.items())
        values[label] = AxisValue(label, patch, path, is_base)
    fields = frozenset(one for value in values.values() for one in value.patch)
    return Axis(name, tuple(values.values()), fields)


def axis_labels(study: Study, axis: str) -> list[str]:
    """Labels of an axis as they stand in the file; none of an axis that is not in it."""
    written = study.axes.get(axis, {})
    if isinstance(written, list):
        return [value_label(study, item, ("axes", axis, i)) for i, item in enumerate(written)]
    return list(written)


def value_label(study: Study, value: Any, path: KeyPath) -> str:
    if isinstance(value, list):
        return "+".join(value_label(study, item, (*path, i)) for i, item in enumerate(value))
    return study.document.text(path, value)


def check_overlaps(study: Study, axes: Sequence[Axis], problems: list[InputError]) -> None:
    """Two axes must not set one field: the second would silently undo the first."""
    for one, other in itertools.combinations(axes, 2):
        shared = {*one.fields, *filter(None, map(rival, one.fields))} & other.fields
        if shared:
            problems.append(
                study.problem(
                    ("axes", other.name),
                    f"two axes must not set one field, but {one.name!r} and {other.name!r} both set {min(shared)!r}",
                    "Make them one axis whose values set several fields, or name the arms under `arms`.",
                )
            )


def base_label(axis: Axis, base: Patch) -> str:
    """What the base has of an axis, in the axis' own words where it has some."""
    own = [value.label for value in axis.values if value.is_base]
    if own:
        return own[0]
    leaf = base.get(SHORT_FIELDS.get(axis.name, axis.name))
    return "base" if leaf is None else show(leaf.value)
