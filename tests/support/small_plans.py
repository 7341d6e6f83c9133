"""Small plans for tests: arms that differ in the resolution, trained in one stage and evaluated once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from search_spaces.plan import Arm, Node, Plan, PlannedTrial
from search_spaces.resource_spec import ResourceSpec
from search_spaces.spec import (
    BenchmarkSpec,
    LanguageSpec,
    MixPart,
    MixSpec,
    OptimizerSpec,
    ProjectorSpec,
    SourceSpec,
    StageSpec,
    TokenizerSpec,
    TrialSpec,
    VisionSpec,
)

SOURCE = SourceSpec(name="shapes", version="1", reader="generated")


def small_spec(resolution: int, seed: int, steps: int) -> TrialSpec:
    vision = VisionSpec(
        backbone="tiny", arch="tiny", family="conv", weights="random", checkpoint=None, resolution=resolution,
        resize="naive", interpolate=False, patch=8, width=8, tokens=4, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5),
    )  # fmt: skip
    language = LanguageSpec(
        name="tiny", family="llama", checkpoint=None, config={}, tokenizer=TokenizerSpec(kind="bytes"), prompt="bare",
        width=8, max_length=32,
    )  # fmt: skip
    stage = StageSpec(
        name="finetune", trains=("projector",), data=MixSpec(name="shapes", parts=(MixPart(source=SOURCE),)),
        max_steps=steps, global_batch=4, optimizer=OptimizerSpec(lr=1e-3),
    )  # fmt: skip
    return TrialSpec(
        vision=vision, projector=ProjectorSpec(kind="linear"), language=language, stages=(stage,), seed=seed
    )


def small_plan(resolutions: Sequence[int] = (64, 32), seeds: Sequence[int] = (7,), steps: int = 10) -> Plan:
    """The first resolution is the base's; trial ids are ``r<resolution>-s<seed>``."""
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
        stage, evaluation = trial.path
        nodes[stage] = Node(stage, "stage", "0" * 64, "finetune", steps, None, (trial.id,))
        nodes[evaluation] = Node(evaluation, "evaluation", None, "evaluate", None, stage, (trial.id,))
    return Plan(
        study="small",
        question="Does resolution help?",
        digest="d" * 64,
        arms=tuple(arms),
        trials=tuple(trials),
        nodes=nodes,
        benchmarks=(BenchmarkSpec(id="shapes", source=SOURCE),),
        axes=("resolution",),
        base="base",
    )


def with_axis(plan: Plan, axis: str, base_value: str) -> Plan:
    """The same arms after an axis was added to the study, in which all of them have the base's value."""
    arms = tuple(replace(arm, values={**arm.values, axis: base_value}) for arm in plan.arms)
    return replace(plan, arms=arms, axes=(*plan.axes, axis))
