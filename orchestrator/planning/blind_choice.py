"""Choose whether a study that does not say so asks its benchmarks blind, by what evaluation would cost."""

from __future__ import annotations

from cluster.cost import evaluation_operations, gpu_hours
from orchestrator.planning.estimates import Assumptions, estimates
from search_spaces.expansion.blind_run import OTHER_IMAGES, with_blind_run
from search_spaces.identity import source_name
from search_spaces.plan import Plan, PlannedTrial
from search_spaces.sizes import ModelSize
from search_spaces.spec import BenchmarkSpec
from search_spaces.steps import RealisedCounts, SourceCounts

MOST_SHARE = 0.1
"""Share of training that evaluation may cost where a blind run is made unasked. That costs at most twice as much."""


class _UnknownCostError(Exception):
    """The cost of evaluation or training cannot be estimated; the message says why."""


def choose_blind_run(plan: Plan, counts: RealisedCounts) -> Plan:
    """Settle the blind run of a study that does not declare one: it is on where evaluation is known to be cheap.

    Args:
        plan: of the study, whose blind run is open.
        counts: of prepared sources by `identity.source_name`.
    """
    try:
        share = _share(plan, counts)
    except _UnknownCostError as error:
        return with_blind_run(plan, is_on=False, reason=f"{error} (`blind: true` turns it on)", counts=counts)
    is_on = share < MOST_SHARE
    takes = f"evaluation takes about {share:.1%} of the GPU-hours of training"
    if is_on:
        added = f"it adds at most {len(OTHER_IMAGES) * share:.1%}"
        return with_blind_run(plan, is_on, f"{takes}, and {added} (`blind: false` turns it off)", counts)
    return with_blind_run(
        plan, is_on, f"{takes}, and from {MOST_SHARE:.0%} on only a study that declares it is asked blind", counts
    )


def _share(plan: Plan, counts: RealisedCounts) -> float:
    """Estimate what evaluation costs, as a share of what training costs."""
    if not plan.benchmarks:
        raise _UnknownCostError("the study has no benchmarks")
    if not all(arm.resources.gpus_per_worker for arm in plan.arms):
        raise _UnknownCostError("without GPUs there is no estimate of what evaluation costs")
    assumed = Assumptions(is_for_all=True)  # what is asked does not hang on the machines that are asked
    hours = [None if stage is None else stage.gpu_hours for stage in estimates(plan, assumed).values()]
    known = [cost for cost in hours if cost is not None]
    if len(known) < len(hours):
        raise _UnknownCostError("the GPU-hours of some stages are not known")
    sizes = {arm.name: arm.size for arm in plan.arms}
    return sum(_evaluation_hours(plan, trial, sizes[trial.arm], counts, assumed) for trial in plan.trials) / sum(known)


def _evaluation_hours(
    plan: Plan, trial: PlannedTrial, size: ModelSize | None, counts: RealisedCounts, assumed: Assumptions
) -> float:
    peak = assumed.entry.tflops(trial.spec.stages[-1].precision)
    assert size is not None, "the stages of an arm of unknown size have no hours"
    assert peak is not None, "nor have those that the GPU cannot compute"
    kept = {source for node in trial.path for source in plan.nodes[node].sources}
    text_tokens = min(assumed.text_tokens, trial.spec.language.max_length)
    total = 0
    for benchmark in plan.benchmarks:
        questions, images = _size(benchmark, counts)
        cached = source_name(benchmark.source) in kept
        total += evaluation_operations(size, images, questions, text_tokens, cached)
    return gpu_hours(total, 1, peak, assumed.reached)


def _size(benchmark: BenchmarkSpec, counts: RealisedCounts) -> tuple[int, int]:
    """Count the questions and images of a benchmark."""
    source = SourceCounts.of(benchmark.source, counts)
    select = benchmark.select
    questions = None if source is None else source.records if select is None else source.tags.get(select)
    if source is None or source.images is None or questions is None:
        raise _UnknownCostError(f"this is settled once the images of {benchmark.id} are counted")
    questions = benchmark.size_of(questions)
    return questions, min(questions, source.images)
