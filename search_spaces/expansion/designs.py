"""From a study to its arms: flat configurations of dotted paths, each a difference from the base.

Names are not looked up here and nothing is known about models; see `resolve`.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from search_spaces.errors import InputError, nearest
from search_spaces.expansion.axes import Axis, AxisValue, base_label
from search_spaces.expansion.fields import SHORT_FIELDS
from search_spaces.expansion.patches import Patch, same
from search_spaces.expansion.study_reader import PatchReader
from search_spaces.study import Resources, Study
from search_spaces.typed import typed
from search_spaces.yaml_source import KeyPath, show

_BESIDE_FIELDS = {"note", "resources"}
"""Keys of a named arm that are no fields of its configuration."""

MOST_ARMS = 100_000
"""A larger design is taken for a slip of the pen."""


@dataclass(frozen=True)
class ArmDraft:
    """An arm before names are looked up."""

    name: str
    patch: Patch
    """What differs from the base, as written."""
    values: dict[str, str]
    """Axis -> label."""
    path: KeyPath
    """Where it comes from: the base, an axis value, or an entry of `arms`."""
    named: bool = False
    note: str | None = None
    resources: Mapping[str, Any] = field(default_factory=dict)
    """What differs from the study's resources."""


def draft_arms(
    study: Study,
    base: Patch,
    axes: Sequence[Axis],
    reader: PatchReader,
    is_base_value: Callable[[AxisValue], bool],
    problems: list[InputError],
) -> list[ArmDraft]:
    """All arms in plan order, those to be excluded among them.

    Args:
        study: whose `design`, `zip` and `arms` are read.
        base: the base, flat.
        axes: the axes as read.
        reader: reads the patches of named arms.
        is_base_value: whether a value changes nothing once names are looked up and defaults filled in.
        problems: gets what is wrong.
    """
    axes = [
        replace(
            axis, values=tuple(replace(value, is_base=value.is_base or is_base_value(value)) for value in axis.values)
        )
        for axis in axes
    ]
    for axis in axes:
        of_base = [value for value in axis.values if value.is_base]
        if len(of_base) > 1:
            problems.append(
                study.problem(
                    of_base[1].path,
                    f"the values of an axis must differ, but {of_base[0].label!r} and {of_base[1].label!r} are both"
                    " the base's own",
                )
            )
    labels = {axis.name: base_label(axis, base) for axis in axes}
    drafts = [
        ArmDraft(
            name=",".join(f"{axis}={value.label}" for axis, value in chosen if not value.is_base) or "base",
            patch={path: leaf for _, value in chosen if not value.is_base for path, leaf in value.patch.items()},
            values={**labels, **{axis: value.label for axis, value in chosen}},
            path=next((value.path for _, value in chosen if not value.is_base), ("base",)),
        )
        for chosen in _design(study, axes, problems)
    ]
    named = [_named_arm(study, name, entry, base, axes, reader, problems) for name, entry in study.arms.items()]
    names_of_base = [draft for draft in named if not study.arms[draft.name].keys() - _BESIDE_FIELDS]
    for draft in names_of_base[1:]:
        law = f"the base must have one name, but {names_of_base[0].name!r} and {draft.name!r} both change nothing"
        problems.append(study.problem(draft.path, law))
    bases = [_named_base(draft, names_of_base) for draft in drafts if not draft.patch]
    others = [draft for draft in named if draft not in names_of_base]
    return [*bases, *(draft for draft in drafts if draft.patch), *others]


def _named_base(base: ArmDraft, names: Sequence[ArmDraft]) -> ArmDraft:
    """The base under the name of the arm that changes nothing, where the study has one."""
    return replace(names[0], values=base.values) if names else base


Chosen = tuple[tuple[str, AxisValue], ...]


def _design(study: Study, axes: Sequence[Axis], problems: list[InputError]) -> Iterator[Chosen]:
    """The combinations of values that the design asks for; (axis, value) pairs in file order."""
    groups = _groups(study, axes, problems)
    order = {axis.name: i for i, axis in enumerate(axes)}
    if study.design == "grid" and groups:
        size = math.prod(map(len, groups))
        if size > MOST_ARMS:
            problems.append(study.problem(("axes",), f"a grid must have at most {MOST_ARMS:,} arms, but got {size:,}"))
            return
        for product in itertools.product(*groups):
            chosen = (pair for choice in product for pair in choice)
            yield tuple(sorted(chosen, key=lambda pair: order[pair[0]]))
        return
    yield ()
    if study.design == "one-at-a-time":
        for group in groups:
            for choice in group:
                if not all(value.is_base for _, value in choice):
                    yield choice


def _groups(study: Study, axes: Sequence[Axis], problems: list[InputError]) -> list[list[Chosen]]:
    """Axes, or zipped groups of them, each as the list of its choices; a group stands where its first axis does."""
    by_name = {axis.name: axis for axis in axes}
    zipped: dict[str, list[Axis]] = {}
    for number, names in enumerate(study.zip):
        path: KeyPath = ("zip", number)
        members = []
        for name in names:
            if name not in by_name:
                if name not in study.axes:  # else it is reported where it stands
                    way_out = nearest(name, study.axes)
                    problems.append(study.problem(path, f"must name axes of the study, but got {name!r}", way_out))
            elif name in zipped or by_name[name] in members:
                problems.append(study.problem(path, f"an axis must be zipped once, but {name!r} is there twice"))
            else:
                members.append(by_name[name])
        if len({len(axis.values) for axis in members}) > 1:
            counts = ", ".join(f"{axis.name} has {len(axis.values)}" for axis in members)
            problems.append(study.problem(path, f"zipped axes must have equally many values, but {counts}"))
            continue
        members.sort(key=axes.index)
        zipped.update({axis.name: members for axis in members})
    groups: list[list[Chosen]] = []
    for axis in axes:
        members = zipped.get(axis.name, [axis])
        if members[0] is axis:
            rows = zip(*(one.values for one in members), strict=True)
            groups.append([tuple((one.name, value) for one, value in zip(members, row, strict=True)) for row in rows])
    return groups


def _named_arm(
    study: Study,
    name: str,
    entry: Mapping[str, Any],
    base: Patch,
    axes: Sequence[Axis],
    reader: PatchReader,
    problems: list[InputError],
) -> ArmDraft:
    path: KeyPath = ("arms", name)
    note, resources = entry.get("note"), entry.get("resources", {})
    if note is not None and not isinstance(note, str):
        problems.append(study.problem((*path, "note"), f"must be text, but got {show(note)}"))
    _, found = typed(Resources, study.document, (*path, "resources"), resources)
    problems.extend(found)
    patch = reader.read({key: value for key, value in entry.items() if key not in _BESIDE_FIELDS}, path)
    values = {axis.name: _label_of(axis, base, patch) for axis in axes}
    return ArmDraft(name, patch, values, path, True, note, resources if not found else {})


def _label_of(axis: Axis, base: Patch, patch: Patch) -> str:
    """The label that fits a named arm, or its value itself."""

    def current(path: str) -> Any:
        leaf = patch.get(path) or base.get(path)
        return leaf.value if leaf else None

    if not any(path in patch for path in axis.fields):
        return base_label(axis, base)
    for value in axis.values:
        if value.patch and all(same(current(path), leaf.value) for path, leaf in value.patch.items()):
            return value.label
    path = SHORT_FIELDS.get(axis.name, axis.name)
    return show(current(path)) if path in axis.fields else "other"
