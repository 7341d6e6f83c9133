"""Rehearse a trial in its workers: every stage and every evaluation set in miniature, on a scratch storage.

The same code, libraries, precisions and group as in the trial, so that what cannot run fails within a minute and not
after the stages before it. Data and features are read from the real storage, nothing is written there.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator

import torch

from search_spaces.outcomes import NodeDone, Progress, TrialDone
from trainables.evaluation.evaluate import evaluate
from trainables.evaluation.results import read_results
from trainables.peak_memory import PeakMemory
from trainables.rehearsal_data import RehearsalData, few_questions
from trainables.rehearsal_stage import rehearse_stage
from trainables.storage import layout
from trainables.storage.record_files import write
from trainables.storage.records import Cost, Rehearsal, StageRehearsal, StageResult, TrialResult
from trainables.task import Context, TrialTask
from trainables.training.hardware import device_name
from trainables.training.random_states import random_states, restore_random_states
from trainables.workers.process_group import ensure_single, wait_for_all

QUESTIONS = 4
"""Questions of each evaluation set that are answered."""


def rehearse(task: TrialTask, context: Context) -> Iterator[Progress]:
    """Rehearse a trial: two steps and a checkpoint of every stage, some questions of every evaluation set.

    Afterwards the process is as it was: a real trial that runs in it next gives the bytes that it gives in a new one.

    Args:
        task: of the rehearsal; its `storage` is scratch.
        context: rank, world size and device of this worker.

    Yields:
        What `run_trial` yields: progress, a `NodeDone` after each node of the trial's path, and a `TrialDone`.
    """
    if context.world == 1:
        ensure_single(context.device)
    states, began = random_states(), time.perf_counter()
    scratch = context.store(task)
    try:
        data = RehearsalData(task, context.data_store(task), context)
        yield from (NodeDone(features.node) for features in task.features)
        stages: list[StageRehearsal] = []
        results: list[StageResult] = []
        for index, stage in enumerate(task.stages):
            shown, result = yield from rehearse_stage(task, index, results, data, context, scratch)
            stages.append(shown)
            results.append(result)
            yield NodeDone(stage.node)
        asked = task.model_copy(
            update={
                name: tuple(few_questions(benchmark, data, QUESTIONS, task.id) for benchmark in getattr(task, name))
                for name in ("benchmarks", "samples", "blind")
            }
        )
        memory = PeakMemory(context.device)
        yield from evaluate(asked, results, data, context, scratch)
        wait_for_all()
        if context.rank == 0:
            seconds = time.perf_counter() - began
            scores = read_results(asked, results, scratch)
            rehearsal = Rehearsal(
                shape=task.id,
                arm=task.arm,
                workers=context.world,
                device=device_name(context.device),
                stages=tuple(stages),
                questions={name: score.n for name, score in scores.items()},
                answer_peak_bytes=memory.read(),
                seconds=seconds,
                ts=int(time.time() * 1000),
            )
            write(scratch, layout.rehearsal(task.id), rehearsal)
            devices = context.world * task.stages[-1].resources.devices_per_worker
            spent = Cost(gpu_seconds=seconds * devices, gpu_seconds_alone=0.0, wall_seconds=seconds)
            keys = tuple(stage.key for stage in task.stages)
            write(scratch, layout.trial_result(task.study, task.id), TrialResult(task.id, keys, {}, False, spent))
        yield NodeDone(task.evaluation_node)
        yield TrialDone()
    finally:
        if context.device == "cuda":
            gc.collect()
            torch.cuda.empty_cache()
        restore_random_states(states)
