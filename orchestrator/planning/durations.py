"""Estimate the seconds of every piece of work of a plan: from what alike work has taken, else from its operations.

Stages that are done on storage correct the estimates of those that are left, by the median of actual over estimated
seconds: of the stages with the same name and workers, else of all. So a wrong assumption about the GPU is mended by the
first stage that ends.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal, assert_never

from orchestrator.planning.estimates import Assumptions, Estimate, estimates
from orchestrator.state.ledger import Ledger
from orchestrator.state.stored_nodes import node_result
from search_spaces.plan import Node, Plan
from search_spaces.resource_spec import ResourceSpec
from trainables.storage.records import StageResult
from trainables.storage.store import Store

Source = Literal["measured", "estimated", "assumed"]

FLOPS_PER_CPU = 100e9
"""Operations a second of a CPU core in training: a guess. Chosen by eye so that the quickstart, whose texts are shorter
than the mean that is assumed, does not come out many times too slow; one finished stage takes its place."""
SECONDS_PER_STEP = 0.05
"""Assumed where the size of a model is not known."""
SECONDS_PER_MB_OF_FEATURES = 0.25
SECONDS_PER_BENCHMARK = 1.0
"""Assumed while no trial of the study has been scored: of a toy model. Where training is long it is a small part."""

FACTORS: Mapping[Source, tuple[float, float]] = {
    "measured": (0.8, 1.25),
    "estimated": (0.5, 2.0),
    "assumed": (0.2, 5.0),
}
"""How far actual seconds may lie from those that are given. `estimated`: what GPUs reach of their peak differs by
about so much between published runs of one model. `measured` is widened where what was measured differs by more."""


@dataclass(frozen=True, slots=True)
class Duration:
    """How long a piece of work takes on the workers of its trial."""

    seconds: float
    low: float
    """Seconds at the least."""
    high: float
    """Seconds at the most."""
    source: Source


def durations(plan: Plan, ledger: Ledger, store: Store, assumed: Assumptions | None = None) -> dict[str, Duration]:
    """Estimate the seconds of every node of a plan that were not saved by step checkpoints, by its id.

    Args:
        plan: of a study.
        ledger: what storage holds of it.
        store: the storage, whose results of finished stages are read.
        assumed: about the GPU; None for the defaults.
    """
    sizes = estimates(plan, assumed or Assumptions())
    resources = _resources(plan)
    guesses = {node.id: _guess(node, sizes.get(node.id), resources[node.id], plan) for node in plan.nodes.values()}
    ratios = _ratios(plan, ledger, store, resources, guesses)
    scoring = _scoring_seconds(plan, ledger, resources)
    result = {}
    for node in plan.nodes.values():
        duration = _corrected(node, guesses[node.id], ratios, resources[node.id])
        if node.kind == "evaluation" and scoring:
            duration = _measured(median(scoring), [each / median(scoring) for each in scoring if median(scoring)])
        result[node.id] = _left(node, duration, ledger.kept_steps.get(node.id, 0))
    return result


def estimated_seconds(plan: Plan, ledger: Ledger, store: Store) -> dict[str, float]:
    """Estimate the seconds of every node of a plan that are left, by its id; see `durations`."""
    return {node: duration.seconds for node, duration in durations(plan, ledger, store).items()}


def _resources(plan: Plan) -> dict[str, ResourceSpec]:
    """Map every node to the workers of the first trial that needs it."""
    arms, first = {arm.name: arm for arm in plan.arms}, dict[str, ResourceSpec]()
    for trial in plan.trials:
        for node in trial.path:
            first.setdefault(node, arms[trial.arm].resources)
    return first


def _guess(node: Node, estimate: Estimate | None, resources: ResourceSpec, plan: Plan) -> Duration:
    """Estimate the seconds of a node from what it computes."""
    match node.kind:
        case "stage":
            return _guess_stage(node, estimate, resources)
        case "features":
            return _unconfirmed((node.bytes or 0) / 1e6 * SECONDS_PER_MB_OF_FEATURES, "assumed")
        case "evaluation":
            return _unconfirmed(len(plan.evaluation_sets) * SECONDS_PER_BENCHMARK, "assumed")
        case _:
            assert_never(node.kind)


def _guess_stage(node: Node, estimate: Estimate | None, resources: ResourceSpec) -> Duration:
    if estimate is None or node.steps is None:
        return _unconfirmed((node.steps or 0) * SECONDS_PER_STEP, "assumed")
    if estimate.gpu_hours is not None:
        gpus = resources.workers * resources.gpus_per_worker
        return _unconfirmed(estimate.gpu_hours * 3600 / gpus, "estimated")
    records = node.steps * estimate.stage.global_batch
    cpus = resources.workers * resources.cpus_per_worker
    seconds = estimate.padding * estimate.operations.model * records / (FLOPS_PER_CPU * cpus)
    return _unconfirmed(seconds, "assumed")


def _unconfirmed(seconds: float, source: Source) -> Duration:
    low, high = FACTORS[source]
    return Duration(seconds, seconds * low, seconds * high, source)


_Ratios = Mapping[tuple[str, int] | None, Sequence[float]]
"""Name of a stage and number of workers, or None for all -> actual over estimated seconds of those that are done."""


def _ratios(
    plan: Plan,
    ledger: Ledger,
    store: Store,
    resources: Mapping[str, ResourceSpec],
    guesses: Mapping[str, Duration],
) -> _Ratios:
    ratios = defaultdict[tuple[str, int] | None, list[float]](list)
    for node in plan.nodes.values():
        if node.kind != "stage" or node.id not in ledger.done_nodes or guesses[node.id].seconds <= 0:
            continue
        result = node_result(node, store)
        if isinstance(result, StageResult) and result.gpu_seconds > 0:
            workers = resources[node.id].workers
            devices = workers * resources[node.id].devices_per_worker
            ratio = result.gpu_seconds / devices / guesses[node.id].seconds
            ratios[node.name, workers].append(ratio)
            ratios[None].append(ratio)
    return ratios


def _corrected(node: Node, guess: Duration, ratios: _Ratios, resources: ResourceSpec) -> Duration:
    if node.kind != "stage" or guess.seconds <= 0:
        return guess
    alike = ratios.get((node.name, resources.workers)) or ratios.get(None)
    if not alike:
        return guess
    middle = median(alike)
    return _measured(guess.seconds * middle, [ratio / middle for ratio in alike])


def _measured(seconds: float, spread: Sequence[float]) -> Duration:
    """Make a duration that rests on measurements, which differ among each other by these factors."""
    low, high = FACTORS["measured"]
    return Duration(seconds, seconds * min([low, *spread]), seconds * max([high, *spread]), "measured")


def _scoring_seconds(plan: Plan, ledger: Ledger, resources: Mapping[str, ResourceSpec]) -> list[float]:
    """List how long the trials that are scored took for it."""
    by_trial = defaultdict[str, float](float)
    for results in (ledger.evaluations, ledger.samples, ledger.blind):
        for trial, name in results:
            by_trial[trial] += results[trial, name].gpu_seconds
    last = {trial.id: trial.path[-1] for trial in plan.trials}
    devices = {trial: resources[node].workers * resources[node].devices_per_worker for trial, node in last.items()}
    return [seconds / devices[trial] for trial, seconds in by_trial.items() if trial in last]


def _left(node: Node, duration: Duration, kept_steps: int) -> Duration:
    """Take off what step checkpoints have saved."""
    if not kept_steps or not node.steps:
        return duration
    left = max(0.0, 1 - kept_steps / node.steps)
    return Duration(duration.seconds * left, duration.low * left, duration.high * left, duration.source)
