"""Read the axes of a study and label their values."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from search_spaces.errors import InputError
from search_spaces.expansion.foreign_axes import foreign_axis
from search_spaces.expansion.patches import Patch, same
from search_spaces.expansion.study_reader import StudyReader
from search_spaces.rivals import rival
from search_spaces.short_forms import SHORT_FIELDS
from search_spaces.study import Study
from search_spaces.yaml_source import KeyPath, show


@dataclass(frozen=True)
class AxisValue:
    """One value of an axis: what it is called and what it changes."""

    label: str
    patch: Patch
    path: KeyPath
    is_base: bool = False


@dataclass(frozen=True)
class Axis:
    """One thing that a study varies, with its values in file order."""

    name: str
    values: tuple[AxisValue, ...]
    fields: frozenset[str]
    """Dotted paths that its values set."""


def read_axes(reader: StudyReader, base: Patch) -> list[Axis]:
    """Read all axes with their values as patches, and mark the values that equal the base's own."""
    axes = []
    for name, written in reader.study.axes.items():
        path: KeyPath = ("axes", name)
        foreign = foreign_axis(reader, name, written)
        if foreign is not None:
            reader.problems.add(foreign)
        elif not isinstance(written, list | dict):
            reader.refuse(path, f"must be a list of values, or a mapping, but got {show(written)!r}")
        elif not written:
            reader.refuse(path, "an axis must have at least one value, but it has none")
        else:
            axes.append(_read_axis(reader, name, base))
    return axes


def _read_axis(reader: StudyReader, name: str, base: Patch) -> Axis:
    values: dict[str, AxisValue] = {}
    for label, value, path in _entries(reader.study, name):
        patch = _value_patch(reader, name, value, path)
        if patch is None:
            break
        if label in values:
            reader.refuse(path, f"the values of an axis must differ, but {label!r} is there twice")
        values[label] = AxisValue(label, patch, path, _is_part(patch, base))
    fields = frozenset(field for value in values.values() for field in value.patch)
    return Axis(name, tuple(values.values()), fields)


def _entries(study: Study, name: str) -> Iterator[tuple[str, Any, KeyPath]]:
    """List the label, the value and the place of each value of an axis."""
    written = study.axes[name]
    keys = range(len(written)) if isinstance(written, list) else list(written)
    for label, key in zip(axis_labels(study, name), keys, strict=True):
        yield label, written[key], ("axes", name, key)


def _value_patch(reader: StudyReader, name: str, value: Any, path: KeyPath) -> Patch | None:
    """Read what a value changes; None where the axis would have to be a field and is none."""
    if isinstance(value, dict):
        return reader.read({name: value} if reader.are_below(name, value) else value, path)
    if not reader.is_field(name):
        reader.problems.add(reader.unknown(name, ("axes", name), taken=reader.study.axes))
        return None
    patch: Patch = {}
    reader.read_value(name, value, path, patch)
    return patch


def _is_part(patch: Patch, base: Patch) -> bool:
    """Tell whether the base has every value of a patch; a field that it leaves out counts as null."""
    return all(same(leaf.value, base[field].value if field in base else None) for field, leaf in patch.items())


def axis_labels(study: Study, axis: str) -> list[str]:
    """List the labels of an axis as they stand in the file; none of an axis that is not in it."""
    written = study.axes.get(axis, {})
    if isinstance(written, list):
        return [value_label(study, item, ("axes", axis, i)) for i, item in enumerate(written)]
    return list(written)


def value_label(study: Study, value: Any, path: KeyPath) -> str:
    """Label a value by what its author wrote; the items of a list are joined by ``+``.

    Args:
        study: knows what was written.
        value: a plain value.
        path: where the study has it.
    """
    if isinstance(value, list):
        return "+".join(value_label(study, item, (*path, i)) for i, item in enumerate(value))
    return study.document.text(path, value)


def base_label(axis: Axis, base: Patch) -> str:
    """Label what the base has of an axis, in the axis' own words where it has some."""
    own = [value.label for value in axis.values if value.is_base]
    if own:
        return own[0]
    leaf = base.get(SHORT_FIELDS.get(axis.name, axis.name))
    return "base" if leaf is None else show(leaf.value)


def overlap_problems(study: Study, axes: Sequence[Axis]) -> Iterator[InputError]:
    """Find pairs of axes that set one field: the second would silently undo the first."""
    for first, second in itertools.combinations(axes, 2):
        shared = {*first.fields, *filter(None, map(rival, first.fields))} & second.fields
        if shared:
            yield study.problem(
                ("axes", second.name),
                f"two axes must not set one field, but {first.name!r} and {second.name!r} both set {min(shared)!r}",
                "Make them one axis whose values set several fields, or name the arms under `arms`.",
            )
