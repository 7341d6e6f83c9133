"""Say how much training a kill can cost a stage at most: what lies between two of its step checkpoints."""

from __future__ import annotations

from search_spaces.plan import Plan
from search_spaces.quantities import number_of


def most_work_lost(plan: Plan) -> dict[str, tuple[int, float]]:
    """Map each name of a stage to the steps and minutes after which it writes a checkpoint, the most of all arms."""
    most: dict[str, tuple[int, float]] = {}
    arms = {arm.name: arm for arm in plan.arms}
    for trial in plan.trials:
        for stage in trial.spec.stages:
            resources = arms[trial.arm].resources_of(stage.name)
            steps, minutes = most.get(stage.name, (0, 0.0))
            most[stage.name] = (
                max(steps, resources.checkpoint_every_steps),
                max(minutes, resources.checkpoint_every_minutes),
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
    return f"A stage that is killed goes on from its last checkpoint and loses at most {'; '.join(parts)}."
