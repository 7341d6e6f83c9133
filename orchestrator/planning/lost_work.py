"""Say how much training a kill can cost a stage at most: what lies behind its newest step checkpoint."""

from __future__ import annotations

from typing import assert_never

from search_spaces.plan import Plan
from search_spaces.quantities import number_of
from search_spaces.resource_spec import ResourceSpec
from search_spaces.resources import checkpoint_form


def most_work_lost(plan: Plan) -> dict[str, tuple[int, float]]:
    """Map each name of a stage to the steps and minutes of training that a kill costs, the most of all arms."""
    most: dict[str, tuple[int, float]] = {}
    arms = {arm.name: arm for arm in plan.arms}
    for trial in plan.trials:
        for stage in trial.spec.stages:
            resources = arms[trial.arm].resources_of(stage.name)
            intervals = _intervals_lost(resources)
            steps, minutes = most.get(stage.name, (0, 0.0))
            most[stage.name] = (
                max(steps, intervals * resources.checkpoint_every_steps),
                max(minutes, intervals * resources.checkpoint_every_minutes),
            )
    return most


def lost_work_sentence(plan: Plan) -> str:
    """Write the most work that a kill costs, for all stages together or for each group of them that differs."""
    stages: dict[tuple[int, float], list[str]] = {}
    for name, interval in most_work_lost(plan).items():
        stages.setdefault(interval, []).append(name)
    parts = []
    for (steps, minutes), names in stages.items():
        of = f" of {', '.join(names)}" if len(stages) > 1 else ""
        parts.append(f"{number_of(steps, 'step')} or {minutes:g} minutes and a step{of}")
    cost = f"A stage that is killed goes on from its last checkpoint and loses at most {'; '.join(parts)}"
    in_background = any(_intervals_lost(resources) > 1 for arm in plan.arms for resources in arm.requests)
    return f"{cost}: two intervals where checkpoints are written in the background." if in_background else f"{cost}."


def _intervals_lost(resources: ResourceSpec) -> int:
    """Count the intervals between checkpoints that a kill costs at most.

    In the background a checkpoint has its name at the latest when the next one is due: until then the newest is the one
    before.
    """
    match checkpoint_form(resources):
        case "wait":
            return 1
        case "background":
            return 2
        case unreachable:
            assert_never(unreachable)
