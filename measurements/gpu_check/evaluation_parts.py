"""Check the way of a trained model: a frozen language model trained around, what its stage leaves, its answers."""

from __future__ import annotations

import time
from collections.abc import Iterator

from cluster.cost import evaluation_operations
from cluster.evaluation_memory import evaluation_memory
from measurements.gpu_check.live_tensors import live_bytes
from measurements.gpu_check.made_data import QUESTIONS_OF_A_PICTURE
from measurements.gpu_check.part import Figures, Part
from measurements.gpu_check.planned import PlannedTrial, Setting
from measurements.gpu_check.timed_stage import planned_memory
from trainables.evaluation.evaluate import evaluate
from trainables.evaluation.results import read_results
from trainables.peak_memory import PeakMemory
from trainables.storage import layout
from trainables.storage.record_files import read
from trainables.storage.records import StageResult
from trainables.training.hardware import device_name, gpu_entry, peak_flops
from trainables.training.stage import train_stage

_ALIGN = "base.stages=[align]"
_QUESTION_TOKENS, _ANSWER_TOKENS = 32, 64
"""About: a question of the check with its marks, and what the protocol `plain` lets a model write, which random weights
use up."""


def evaluation_parts() -> Iterator[Part]:
    """List the parts; the later ones evaluate the model that the first has trained."""
    yield Part("align", _align)
    yield Part("evaluation own-pictures", lambda setting: _evaluate(setting, "own-pictures", 1))
    yield Part(
        "evaluation shared-pictures", lambda setting: _evaluate(setting, "shared-pictures", QUESTIONS_OF_A_PICTURE)
    )


def _align(setting: Setting) -> Figures:
    """Train the projector alone, and count what is left in memory where the evaluation begins."""
    planned = setting.planned(_ALIGN)
    memory, before = PeakMemory(setting.device), live_bytes(setting.device)
    losses = [
        progress.loss
        for progress, _ in train_stage(
            planned.task, 0, [], planned.data, planned.context, planned.store, lambda resumed: None
        )
    ]
    left, result = live_bytes(setting.device) - before, _trained(planned)
    return {
        "losses": losses,
        "records_per_s": result.samples_per_second,
        "step_s": planned.task.trial.stages[0].global_batch / result.samples_per_second,
        "mfu": result.mfu,
        "attention": result.provenance["attention"],
        "peak_bytes": memory.read(),
        "planned_peak_bytes": planned_memory(planned).total,
        "left_bytes": left,
    }


def _evaluate(setting: Setting, name: str, questions_each: int) -> Figures:
    planned = setting.planned(_ALIGN)
    results = [_trained(planned)]
    benchmark = next(benchmark for benchmark in planned.task.benchmarks if benchmark.id == name)
    task = planned.task.model_copy(update={"benchmarks": (benchmark,)})
    stage, resources = task.trial.stages[-1], task.stages[-1].resources
    memory, before, began = PeakMemory(setting.device), live_bytes(setting.device), time.perf_counter()
    for _ in evaluate(task, results, planned.data, planned.context, planned.store):
        pass
    whole_s, left = time.perf_counter() - began, live_bytes(setting.device) - before
    scored = read_results(task, results, planned.store)[name]
    return {
        "questions": scored.n,
        "pictures": scored.n // questions_each,
        "questions_per_s": scored.n / scored.gpu_seconds,
        "answering_s": scored.gpu_seconds,
        "building_s": whole_s - scored.gpu_seconds,
        "planned_questions_per_s": _planned_rate(planned, scored.n, scored.n // questions_each),
        "peak_bytes": memory.read(),
        "planned_peak_bytes": evaluation_memory(planned.size, stage, resources, cached=False).total,
        "left_bytes": left,
    }


def _trained(planned: PlannedTrial) -> StageResult:
    result = read(planned.store, layout.stage_result(planned.task.stages[0].key), StageResult)
    assert result is not None, "the part `align` trains the model that is evaluated"
    return result


def _planned_rate(planned: PlannedTrial, questions: int, pictures: int) -> float | None:
    """Estimate questions per second at the plan's share of the peak; None on a device whose peak is not known."""
    name = device_name(planned.context.device)
    peak, entry = peak_flops(name, planned.task.trial.stages[0].precision), gpu_entry(name)
    tokens = _QUESTION_TOKENS + _ANSWER_TOKENS
    needed = evaluation_operations(planned.size, pictures, questions, tokens, cached=False)
    return None if peak is None or entry is None else questions * peak * entry.reached / needed
