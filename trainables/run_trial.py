"""Run one trial in a worker: features, stages, scores. The same code serves one process and every rank of a group.

`run_trial` is a generator that yields after each small unit of work, equally often on all ranks, so that its caller can
stop between any two steps without anything in flight.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from search_spaces.identity import source_name
from search_spaces.outcomes import NodeDone, Progress, TrialDone, UnitDone
from search_spaces.spec import SourceSpec
from trainables.evaluation.evaluate import evaluate
from trainables.evaluation.results import evaluation_key, read_results
from trainables.features import produce_features
from trainables.model.vision import build_vision
from trainables.restoring import require_leased, restore_evaluations, restore_nodes
from trainables.storage import layout
from trainables.storage.finished import finished_features
from trainables.storage.record_files import read, write
from trainables.storage.records import Cost, EvaluationResult, FeaturesResult, StageResult, TrialResult
from trainables.storage.store import Store
from trainables.task import Context, FeaturesTask, StageTask, TrialTask
from trainables.telemetry.trial_spool import TrialSpool
from trainables.training.stage import loader_threads, train_stage
from trainables.training.step_checkpoints import remove_checkpoints
from trainables.trial_data import TrialData
from trainables.workers.process_group import ensure_single, from_rank_0, wait_for_all


def run_trial(task: TrialTask, context: Context) -> Iterator[Progress]:
    """Run the remaining work of a trial: everything that storage holds is skipped.

    Writes features, stage results, scores and, last, the trial's result. Errors are raised as they are; nothing
    half-written is left that could be taken for done. What is there is looked up by rank 0, for all ranks.

    Yields:
        A `UnitDone` after each unit of work, a `NodeDone` after each node of the trial's path, and a `TrialDone` at the
        end.
    """
    if context.world == 1:
        ensure_single(context.device)
    started = time.time()
    store = context.store(task)
    spool = TrialSpool(task, store, context)
    try:
        from_rank_0(lambda: restore_nodes(task, store))
        spool.begin()
        data = TrialData(task, store)
        spent = 0.0
        for features in task.features:
            if from_rank_0(partial(finished_features, store, features.key)) is None:
                require_leased(task, features.node, layout.features_result(features.key), store)
                yield from _features(task, features, data, context, store)
                spent += from_rank_0(partial(_features_seconds, features, store))
            yield NodeDone(features.node)
        results: list[StageResult] = []
        for index, stage in enumerate(task.stages):
            known = from_rank_0(partial(_stage_result, stage, store))
            if known is None:
                require_leased(task, stage.node, layout.stage_result(stage.key), store)
                on_resume = partial(spool.resumed, index)
                for progress, metrics in train_stage(task, index, results, data, context, store, on_resume):
                    spool.metrics(index, progress.step, metrics)
                    yield progress
                known = from_rank_0(partial(_stage_result, stage, store))
                assert known is not None, "a stage ends with its result on storage"
                spent += known.gpu_seconds
            else:
                spool.replay(index, stage.key)
                if context.rank == 0:
                    remove_checkpoints(store, stage.key)
            results.append(known)
            yield NodeDone(stage.node)
        diverged = any(result.diverged for result in results)
        scores: dict[str, EvaluationResult] = {}
        if not diverged:
            from_rank_0(lambda: restore_evaluations(task, results, store))
            done_before = from_rank_0(lambda: read_results(task, results, store)).keys()
            yield from evaluate(task, results, data, context, store)
            scores = from_rank_0(lambda: read_results(task, results, store))
            spent += sum(score.gpu_seconds for name, score in scores.items() if name not in done_before)
        wait_for_all()  # a rank that fails in its last answers must not leave a trial that is done and has failed
        if context.rank == 0:
            earlier = _earlier(task, store)
            result = _result(task, results, scores, diverged, spent, time.time() - started, earlier, store)
            spool.end(result, results, scores, is_standing=result == earlier)
            spool.close()  # flushed: a trial that is done after a power cut has its history
            # A standing one, too: a tracker takes only what is newer than the history for the ending of this attempt.
            write(store, layout.trial_result(task.study, task.id), result)
            store.remove(layout.trial_failure(task.study, task.id))
        yield NodeDone(task.evaluation_node)
        yield TrialDone()
    finally:
        spool.close()


def _features(
    task: TrialTask, features: FeaturesTask, data: TrialData, context: Context, store: Store
) -> Iterator[UnitDone]:
    """Produce cached features on rank 0; the other ranks yield equally often."""
    source = data.source(_source(task, features.source))
    encoder = build_vision(task.trial.vision, task.trial.draws.init, data.root)
    began = time.perf_counter()
    resources = task.stages[0].resources
    threads, devices = loader_threads(resources, context.device == "cuda", decodes=True), resources.devices_per_worker
    for done, total in produce_features(encoder, source.pictures, store, features.key, context, threads, devices):
        seconds = time.perf_counter() - began
        yield UnitDone(
            node=features.node,
            label="features",
            step=done,
            steps=total,
            rate=done / seconds,
            eta_s=seconds / done * (total - done),
        )


def _source(task: TrialTask, name: str) -> SourceSpec:
    """Find a source of the trial's data or benchmarks by the name of its digest."""
    sources = [part.source for stage in task.trial.stages for part in stage.data.parts]
    sources += [benchmark.source for benchmark in task.evaluation_sets]
    return {source_name(source): source for source in sources}[name]


def _result(
    task: TrialTask,
    results: list[StageResult],
    scores: dict[str, EvaluationResult],
    diverged: bool,
    spent: float,
    wall: float,
    earlier: TrialResult | None,
    store: Store,
) -> TrialResult:
    """Build the result of a trial, with what it has cost over all attempts that ended with a result.

    Args:
        task: the trial.
        results: of its stages, in their order.
        scores: evaluations by the name of what was asked.
        diverged: whether a stage has diverged.
        spent: device seconds of what this attempt has produced.
        wall: seconds that this attempt has taken.
        earlier: result of an earlier attempt. It is returned as it is where this one has produced nothing and found
            the same: a rank that dies after the result is written ends the attempt all the same, and what the trial has
            cost must not grow by what it takes to find that out.
        store: the storage.
    """
    evaluations = (
        {} if diverged else {b.name: evaluation_key(task.trial, task.digests, b, results) for b in task.evaluation_sets}
    )
    alone = sum(_features_seconds(features, store) for features in task.features)
    alone += sum(result.gpu_seconds for result in results) + sum(score.gpu_seconds for score in scores.values())
    before = earlier.cost if earlier is not None else Cost(0.0, 0.0, 0.0)
    result = TrialResult(
        trial=task.id,
        stages=tuple(stage.key for stage in task.stages),
        evaluations={name: layout.evaluation_result(key, name) for name, key in evaluations.items()},
        diverged=diverged,
        cost=Cost(
            gpu_seconds=before.gpu_seconds + spent,
            gpu_seconds_alone=max(alone, before.gpu_seconds_alone + spent),
            wall_seconds=before.wall_seconds + wall,
        ),
    )
    is_standing = earlier is not None and not spent and replace(result, cost=earlier.cost) == earlier
    return earlier if earlier is not None and is_standing else result


def _earlier(task: TrialTask, store: Store) -> TrialResult | None:
    """Read the result of an earlier attempt at the same stages; None if there is none."""
    result = read(store, layout.trial_result(task.study, task.id), TrialResult)
    return result if result is not None and result.stages == tuple(stage.key for stage in task.stages) else None


def _stage_result(stage: StageTask, store: Store) -> StageResult | None:
    return read(store, layout.stage_result(stage.key), StageResult)


def _features_seconds(features: FeaturesTask, store: Store) -> float:
    """Return the cost of producing cached features, in device seconds; 0 if they are gone."""
    result = read(store, layout.features_result(features.key), FeaturesResult)
    return 0.0 if result is None else result.gpu_seconds
