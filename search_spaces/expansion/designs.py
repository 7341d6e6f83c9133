"""Draft the arms of a study: flat configurations of dotted paths, each a difference from the base.

Names are not looked up here and nothing is known about models; see `resolver`.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, assert_never

from search_spaces.errors import nearest
from search_spaces.expansion.axes import Axis, AxisValue, base_label
from search_spaces.expansion.patches import Patch, same
from search_spaces.expansion.study_reader import StudyReader
from search_spaces.short_forms import SHORT_FIELDS
from search_spaces.study import Resources
from search_spaces.typed import typed
from search_spaces.yaml_source import KeyPath, show

_BESIDE_FIELDS = {"note", "resources"}
"""Keys of a named arm that are no fields of its configuration."""

_OF_THE_RUN = {"interface": "network", "launcher": "launcher"}
"""Resources that an arm cannot have -> what a run has one of."""

MOST_ARMS = 100_000
"""A larger design is taken for a slip of the pen."""


@dataclass(frozen=True, slots=True)
class ArmDraft:
    """An arm before names are looked up."""

    name: str
    patch: Patch
    """What differs from the base, as written."""
    values: dict[str, str]
    """Axis -> label."""
    path: KeyPath
    """Where it comes from: the base, an axis value, or an entry of `arms`."""
    by_axes: bool = True
    """Whether values of the axes are all that it differs in from the base."""
    note: str | None = None
    resources: Mapping[str, Any] = field(default_factory=dict)
    """What differs from the study's resources."""


Choice = tuple[tuple[str, AxisValue], ...]
"""One value of each axis that it speaks of: (name of the axis, value)."""


def draft_arms(
    reader: StudyReader, base: Patch, axes: Sequence[Axis], is_base_value: Callable[[AxisValue], bool]
) -> list[ArmDraft]:
    """Draft all arms in plan order, those to be excluded among them.

    Args:
        reader: of the study whose `design`, `zip` and `arms` are read; collects what is wrong with them.
        base: the base, flat.
        axes: the axes as read.
        is_base_value: whether a value changes nothing once names are looked up and defaults filled in.
    """
    axes = [_mark_base(reader, axis, base, is_base_value) for axis in axes]
    labels = {axis.name: base_label(axis, base) for axis in axes}
    drafts = [_draft(choice, labels) for choice in _choices(reader, axes)]
    named = [_named_arm(reader, name, base, axes) for name in reader.study.arms]
    names_of_base = [draft for draft in named if not reader.study.arms[draft.name].keys() - _BESIDE_FIELDS]
    for draft in names_of_base[1:]:
        law = f"the base must have one name, but {names_of_base[0].name!r} and {draft.name!r} both change nothing"
        reader.refuse(draft.path, law)
    bases = [_named_base(draft, names_of_base) for draft in drafts if not draft.patch]
    others = [draft for draft in named if draft not in names_of_base]
    return [*bases, *(draft for draft in drafts if draft.patch), *others]


def _mark_base(reader: StudyReader, axis: Axis, base: Patch, is_base_value: Callable[[AxisValue], bool]) -> Axis:
    """Mark the values of an axis that are the base's own; more than one of them, or one that has no effect, is refused.

    Together with values of other axes, in a grid or zipped, a value may have an effect that it has not alone.
    """
    is_alone = reader.study.design != "grid" and not any(axis.name in group for group in reader.study.zip)
    values: list[AxisValue] = []
    ignored: list[tuple[AxisValue, str]] = []
    for value in axis.values:
        is_same = value.is_base or is_base_value(value)
        other = None if value.is_base or not is_same else _other_field(value.patch, base)
        if other is not None and is_alone:
            ignored.append((value, other))
        values.append(replace(value, is_base=is_same and other is None))
    for value, dotted in ignored[:1]:
        leaf = value.patch[dotted]
        path = ("axes", axis.name) if dotted == axis.name else leaf.path
        reader.problems.add(reader.without_effect(dotted, leaf.value, path))
    own = [] if ignored else [value for value in values if value.is_base]
    if len(own) > 1:
        law = f"the values of an axis must differ, but {own[0].label!r} and {own[1].label!r} are both the base's own"
        reader.refuse(own[1].path, law)
    return replace(axis, values=tuple(values))


def _other_field(patch: Patch, base: Patch) -> str | None:
    """Find a field that a patch sets to something else than the base has; one that the base leaves out is no such."""
    for dotted, leaf in patch.items():
        if dotted in base and base[dotted].value is not None and not same(leaf.value, base[dotted].value):
            return dotted
    return None


def _draft(choice: Choice, labels: Mapping[str, str]) -> ArmDraft:
    """Draft the arm of one choice of values; `labels` are those of the base."""
    changed = [(axis, value) for axis, value in choice if not value.is_base]
    return ArmDraft(
        name=",".join(f"{axis}={value.label}" for axis, value in changed) or "base",
        patch={field: leaf for _, value in changed for field, leaf in value.patch.items()},
        values={**labels, **{axis: value.label for axis, value in choice}},
        path=changed[0][1].path if changed else ("base",),
    )


def _named_base(base: ArmDraft, names: Sequence[ArmDraft]) -> ArmDraft:
    """Give the base the name of the arm that changes nothing, where the study has one."""
    return replace(names[0], values=base.values) if names else base


def _choices(reader: StudyReader, axes: Sequence[Axis]) -> list[Choice]:
    """List the combinations of values that the design asks for, each in file order."""
    groups = _groups(reader, axes)
    match reader.study.design:
        case "grid":
            return _grid(reader, axes, groups)
        case "one-at-a-time":
            alone = (choice for group in groups for choice in group)
            return [(), *(choice for choice in alone if not all(value.is_base for _, value in choice))]
        case "list":
            return [()]
        case unreachable:
            assert_never(unreachable)


def _grid(reader: StudyReader, axes: Sequence[Axis], groups: Sequence[Sequence[Choice]]) -> list[Choice]:
    size = math.prod(map(len, groups))
    if size > MOST_ARMS:
        reader.refuse(("axes",), f"a grid must have at most {MOST_ARMS:,} arms, but got {size:,}")
        return []
    order = {axis.name: position for position, axis in enumerate(axes)}
    combinations = (itertools.chain.from_iterable(product) for product in itertools.product(*groups))
    return [tuple(sorted(pairs, key=lambda pair: order[pair[0]])) for pairs in combinations]


def _groups(reader: StudyReader, axes: Sequence[Axis]) -> list[list[Choice]]:
    """List axes, or zipped groups of them, each as its choices; a group stands where its first axis does."""
    zipped = _zipped(reader, axes)
    groups: list[list[Choice]] = []
    for axis in axes:
        members = zipped.get(axis.name, [axis])
        if members[0] is axis:
            names = [member.name for member in members]
            rows = zip(*(member.values for member in members), strict=True)
            groups.append([tuple(zip(names, row, strict=True)) for row in rows])
    return groups


def _zipped(reader: StudyReader, axes: Sequence[Axis]) -> dict[str, list[Axis]]:
    """Read `zip`: name of an axis -> the axes that vary together with it, itself among them, in file order."""
    zipped: dict[str, list[Axis]] = {}
    for number, names in enumerate(reader.study.zip):
        path: KeyPath = ("zip", number)
        members = _zip_members(reader, path, names, axes, zipped)
        if len({len(axis.values) for axis in members}) > 1:
            counts = ", ".join(f"{axis.name} has {len(axis.values)}" for axis in members)
            reader.refuse(path, f"zipped axes must have equally many values, but {counts}")
            continue
        in_order = sorted(members, key=axes.index)
        zipped.update({axis.name: in_order for axis in members})
    return zipped


def _zip_members(
    reader: StudyReader, path: KeyPath, names: Sequence[str], axes: Sequence[Axis], taken: Collection[str]
) -> list[Axis]:
    """Look up the axes of one group; refuse those that are not there, or that a group has already."""
    by_name = {axis.name: axis for axis in axes}
    members: dict[str, Axis] = {}
    for name in names:
        if name in taken or name in members:
            reader.refuse(path, f"an axis must be zipped once, but {name!r} is there twice")
        elif name in by_name:
            members[name] = by_name[name]
        elif name not in reader.study.axes:  # else it is refused where it stands
            way_out = nearest(name, reader.study.axes)
            reader.refuse(path, f"must name axes of the study, but got {name!r}", way_out)
    return list(members.values())


def _named_arm(reader: StudyReader, name: str, base: Patch, axes: Sequence[Axis]) -> ArmDraft:
    """Read an entry of `arms`."""
    path: KeyPath = ("arms", name)
    entry = reader.study.arms[name]
    note, resources = entry.get("note"), entry.get("resources", {})
    if note is not None and not isinstance(note, str):
        reader.refuse((*path, "note"), f"must be text, but got {show(note)}")
    legal = reader.problems.attempt(lambda: typed(Resources, reader.study.document, (*path, "resources"), resources))
    for name_of_field, why in _OF_THE_RUN.items():
        if legal is not None and name_of_field in legal.model_fields_set:
            law = f"must be of the whole study, as its runs have one {why}, but an arm has it"
            reader.refuse((*path, "resources", name_of_field), law, "Move it to the study's own `resources`.")
    patch = reader.read({key: value for key, value in entry.items() if key not in _BESIDE_FIELDS}, path)
    fitting = {axis.name: _fitting_value(axis, base, patch) for axis in axes}
    by_axes = patch.keys() <= {field for value in fitting.values() if value is not None for field in value.patch}
    labels = {axis.name: _label_of(axis, base, patch, fitting[axis.name], name) for axis in axes}
    return ArmDraft(name, patch, labels, path, by_axes, note, {} if legal is None else resources)


def _current(field: str, base: Patch, patch: Patch) -> Any:
    leaf = patch.get(field) or base.get(field)
    return leaf.value if leaf else None


def _fitting_value(axis: Axis, base: Patch, patch: Patch) -> AxisValue | None:
    """Find the value of an axis that a named arm has; None where it changes none of the axis' fields, or otherwise."""
    if any(field in patch for field in axis.fields):
        for value in axis.values:
            fields = value.patch.items()
            if fields and all(same(_current(field, base, patch), leaf.value) for field, leaf in fields):
                return value
    return None


def _label_of(axis: Axis, base: Patch, patch: Patch, fitting: AxisValue | None, arm: str) -> str:
    """Label a named arm on an axis: by the value that fits it, by its own value of the field, or by its name."""
    if not any(field in patch for field in axis.fields):
        return base_label(axis, base)
    if fitting is not None:
        return fitting.label
    field = SHORT_FIELDS.get(axis.name, axis.name)
    if field in axis.fields:
        return show(_current(field, base, patch))
    return "other" if arm in [value.label for value in axis.values] else arm
