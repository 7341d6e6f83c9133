"""Select trials of a study by the names of arms, axes and values: the option `--only`."""

from __future__ import annotations

from collections.abc import Sequence

from search_spaces.errors import InputError, Problems, nearest
from search_spaces.expansion.designs import ArmDraft
from search_spaces.expansion.expand import Expansion

KEY = "--only"


def selected_trials(expansion: Expansion, names: Sequence[str], limit: int | None = None) -> frozenset[str]:
    """Select the ids of trials by names, those of any of them; without names, of all trials.

    A name is one of:

    - an arm;
    - an axis: the base, and every arm that differs from it along this axis and no other (with others where axes are
      zipped, so that no arm differs along this one alone);
    - `AXIS=VALUE`: every arm with this value of the axis, the base among them where it has it. In a design that varies
      one axis at a time this is the arm of that name.

    Args:
        expansion: of the study.
        names: of arms, axes and values.
        limit: only the first so many trials, in plan order.

    Raises:
        InputError: names that mean nothing, together, each with the nearest that does.
    """
    trials = [trial for drafts in expansion.trials for trial in drafts][:limit]
    if not names:
        return frozenset(trial.id for trial in trials)
    problems, arms = Problems(), set[str]()
    drafts, axes = [arm.draft for arm in expansion.checked.arms], list(expansion.study.axes)
    for name in names:
        with problems.collected():
            arms |= _arms(drafts, axes, name)
    problems.raise_all()
    return frozenset(trial.id for trial in trials if trial.arm in arms)


def _arms(arms: Sequence[ArmDraft], axes: Sequence[str], name: str) -> set[str]:
    """Find the arms that a name means."""
    axis, _, value = name.partition("=")
    with_value = {arm.name for arm in arms if axis in axes and arm.by_axes and arm.values.get(axis) == value}
    of_name = {arm.name for arm in arms if arm.name == name}
    if with_value or of_name:
        return with_value | of_name
    if name in axes:
        return _of_axis(arms, name)
    values = [f"{axis}={arm.values[axis]}" for arm in arms for axis in axes if axis in arm.values]
    legal = list(dict.fromkeys([*(arm.name for arm in arms), *axes, *values]))
    law = f"must be an arm, an axis or AXIS=VALUE of the study, but got {name!r}"
    raise InputError(law, key=KEY, way_out=nearest(name, legal) or f"There are: {_listed(legal)}")


def _of_axis(arms: Sequence[ArmDraft], axis: str) -> set[str]:
    """Find the base and the arms that an axis makes of it."""
    arms = [arm for arm in arms if arm.by_axes]
    base = next((arm for arm in arms if not arm.patch), None)
    if base is None:
        return {arm.name for arm in arms}
    varied = [arm for arm in arms if arm.values.get(axis) != base.values.get(axis)]
    others = {other: value for other, value in base.values.items() if other != axis}
    alone = [arm for arm in varied if others.items() <= arm.values.items()]
    return {base.name, *(arm.name for arm in alone or varied)}


def _listed(names: list[str], most: int = 12) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
