"""Estimate what the evaluation of each arm would take of a worker's memory, and whether it fits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cluster.evaluation_memory import evaluated_positions, evaluation_memory
from cluster.memory import Memory
from orchestrator.planning.estimates import Assumptions, memory_json
from search_spaces.identity import source_name
from search_spaces.plan import Arm, Plan, PlannedTrial
from search_spaces.resource_spec import ResourceSpec
from search_spaces.sizes import ModelSize
from search_spaces.spec import StageSpec


@dataclass(frozen=True, slots=True)
class EvaluationEstimate:
    """What the evaluation of an arm would take."""

    parameters: int
    memory: Memory
    positions: int
    """Of a batch of questions, at most."""
    resources: ResourceSpec
    fits: bool | None
    """On the assumed GPU; None without GPUs."""
    note: str | None
    """What it needs, where it does not fit."""


def evaluation_estimates(plan: Plan, assumed: Assumptions) -> dict[str, EvaluationEstimate | None]:
    """Estimate the evaluation of every arm of a plan, by its name; None where nothing is asked, or the size of
    its model is not known.

    Args:
        plan: of a study.
        assumed: the GPU.
    """
    first: dict[str, PlannedTrial] = {}
    for trial in plan.trials:
        first.setdefault(trial.arm, trial)
    sources = {source_name(benchmark.source) for benchmark in plan.evaluation_sets}
    known: dict[tuple[ModelSize, str, bool, float, str], EvaluationEstimate] = {}
    result: dict[str, EvaluationEstimate | None] = {}
    for arm in plan.arms:
        if arm.size is None or arm.name not in first or not sources:
            result[arm.name] = None
            continue
        trial = first[arm.name]
        last = trial.spec.stages[-1]
        is_cached = sources <= {source for node in trial.path for source in plan.nodes[node].sources}
        for_arm = assumed.on(arm.resources)
        alike = (arm.size, last.precision, is_cached, arm.resources.gpu_share, for_arm.gpu)
        if alike not in known:
            known[alike] = _estimate(arm, arm.size, last, is_cached, for_arm)
        result[arm.name] = known[alike]
    return result


def _estimate(arm: Arm, size: ModelSize, last: StageSpec, is_cached: bool, assumed: Assumptions) -> EvaluationEstimate:
    memory = evaluation_memory(size, last, arm.resources, is_cached)
    fits, note, resources = None, None, arm.resources
    if resources.gpus_per_worker:
        fits = memory.total <= assumed.bytes_for(resources)
        if not fits:
            larger = "GPU" if resources.gpu_share == 1 else "share of a GPU"
            lack = assumed.lack(memory, resources)
            note = f"{lack}: what is trained there has to be evaluated on a larger {larger}"
    return EvaluationEstimate(
        sum(size.parameters.values()), memory, evaluated_positions(size, last), resources, fits=fits, note=note
    )


def evaluation_json(estimate: EvaluationEstimate | None) -> dict[str, Any]:
    """Make the field `evaluation` of an arm in `plan --json`: null where it is not known."""
    if estimate is None:
        return {"evaluation": None}
    return {
        "evaluation": {
            "memory": memory_json(estimate.memory),
            "positions": estimate.positions,
            "fits": estimate.fits,
            "note": estimate.note,
        }
    }
