"""Small plans for tests: arms that differ in the resolution, trained in one stage and evaluated once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from search_spaces.plan import Arm, Node, Plan, PlannedTrial
from search_spaces.resource_spec import ResourceSpec
from search_spaces.spec import BenchmarkSpec, TrialSpec
from tests.support.tiny_specs import source, stage, trial_spec, vision


def small_spec(resolution: int, seed: int, steps: int) -> TrialSpec:
    """Describe a trial that sees images of this resolution, and trains for so many steps."""
    finetune = stage(trains=("projector",), max_steps=steps, global_batch=4)
    return trial_spec(vision=vision(resolution=resolution), stages=(finetune,), seed=seed)


def small_plan(resolutions: Sequence[int] = (64, 32), seeds: Sequence[int] = (7,), steps: int = 10) -> Plan:
    """Plan arms of these resolutions, the first of which is the base's; trial ids are ``r<resolution>-s<seed>``."""
    base = resolutions[0]
    arms = [
        Arm(
            id=f"arm{resolution}",
            name="base" if resolution == base else f"resolution={resolution}px",
            difference={} if resolution == base else {"vision.resolution": resolution},
            values={"resolution": f"{resolution}px"},
            resources=ResourceSpec(),
        )
        for resolution in resolutions
    ]
    trials = [
        PlannedTrial(
            id=f"r{resolution}-s{seed}",
            arm=arm.name,
            seed=seed,
            spec=small_spec(resolution, seed, steps),
            path=(f"stage-r{resolution}-s{seed}", f"evaluation-r{resolution}-s{seed}"),
        )
        for arm, resolution in zip(arms, resolutions, strict=True)
        for seed in seeds
    ]
    nodes: dict[str, Node] = {}
    for trial in trials:
        trained, evaluation = trial.path
        nodes[trained] = Node(trained, "stage", "0" * 64, "finetune", steps, None, (trial.id,))
        nodes[evaluation] = Node(evaluation, "evaluation", None, "evaluate", None, trained, (trial.id,))
    return Plan(
        study="small",
        question="Does resolution help?",
        digest="d" * 64,
        arms=tuple(arms),
        trials=tuple(trials),
        nodes=nodes,
        benchmarks=(BenchmarkSpec(id="shapes", source=source()),),
        axes=("resolution",),
        base="base",
    )


def with_axis(plan: Plan, axis: str, base_value: str) -> Plan:
    """Add an axis to a plan, in which all arms have the base's value."""
    arms = tuple(replace(arm, values={**arm.values, axis: base_value}) for arm in plan.arms)
    return replace(plan, arms=arms, axes=(*plan.axes, axis))
