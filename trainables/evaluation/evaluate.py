"""Evaluate the saved weights of a trial in a plain model, one replica per worker; the training engine is not used."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing

import torch
import torch.distributed as dist

from search_spaces.outcomes import UnitDone
from search_spaces.spec import BenchmarkSpec
from trainables.evaluation.answer_log import Answer, AnswerLog
from trainables.evaluation.encoded_questions import EncodedQuestions
from trainables.evaluation.question_batches import QuestionBatch
from trainables.evaluation.respondent import Respondent, precision
from trainables.evaluation.results import evaluation_key, result_name, write_result
from trainables.evaluation.shown_images import open_asked
from trainables.model.broadcast import Parts, broadcast_modules
from trainables.model.vlm import VLM, assemble, build_modules, cast_statistics
from trainables.storage.records import StageResult
from trainables.storage.store import Store
from trainables.task import Context, TrialTask
from trainables.training.device_memory import release_memory
from trainables.training.stage import loader_threads
from trainables.training.weights_io import load_weights, stored_modules
from trainables.trial_data import TrialData
from trainables.workers.process_group import from_rank_0


def evaluate(
    task: TrialTask, results: list[StageResult], data: TrialData, context: Context, store: Store
) -> Iterator[UnitDone]:
    """Evaluate every evaluation set that has no result yet; yields after each batch, equally often on all ranks.

    Args:
        task: the trial.
        results: of its stages, in their order.
        data: the trial's tokenizer, sources and features.
        context: rank, world size and device of this worker.
        store: storage of weights, answers and results.
    """
    names = {b.name: result_name(task, b, results) for b in task.evaluation_sets}
    missing = from_rank_0(lambda: {name for name, result in names.items() if not store.exists(result)})
    todo = [b for b in task.evaluation_sets if b.name in missing]
    if not todo:
        return
    release_memory()
    model = load_trained(task, results, data, context, store)
    for number, benchmark in enumerate(todo):
        label = f"evaluate {benchmark.name} ({number + 1}/{len(todo)})"
        key = evaluation_key(task.trial, task.digests, benchmark, results)
        yield from _score(task, benchmark, model, data, context, store, key, label)


def load_trained(task: TrialTask, results: list[StageResult], data: TrialData, context: Context, store: Store) -> VLM:
    """Load the trained model of a trial; without its encoder where all features are cached.

    Args:
        task: the trial.
        results: of its stages, which name the weights.
        data: the trial's tokenizer and folder of checkpoints.
        context: device of this worker.
        store: storage of the weights.
    """
    with_vision = not task.has_features_of(benchmark.source for benchmark in task.evaluation_sets)
    return _load(task, results, data, store, with_vision, torch.device(context.device))


def load_whole(task: TrialTask, results: list[StageResult], data: TrialData, store: Store) -> VLM:
    """Load the trained model of a trial with its encoder, on the CPU.

    Args:
        task: the trial.
        results: of its stages, which name the weights.
        data: the trial's tokenizer and folder of checkpoints.
        store: storage of the weights.
    """
    return _load(task, results, data, store, True, torch.device("cpu"))


def _load(
    task: TrialTask,
    results: list[StageResult],
    data: TrialData,
    store: Store,
    with_vision: bool,
    device: torch.device,
) -> VLM:
    dtype = precision(task.trial)

    def build() -> Parts:
        model = build_modules(task.trial, data.tokenizer, data.root, with_vision, stored_modules(results), dtype)
        load_weights(model, results, store)
        return dict(model.named_children())

    model = assemble(task.trial, broadcast_modules(build, dtype, device), data.tokenizer)
    cast_statistics(model, dtype)
    return model.eval()


def _score(
    task: TrialTask,
    benchmark: BenchmarkSpec,
    model: VLM,
    data: TrialData,
    context: Context,
    store: Store,
    key: str,
    label: str,
) -> Iterator[UnitDone]:
    """Answer the batches that the log lacks, each on one worker; then score all answers on rank 0."""
    started = time.perf_counter()
    encoded = EncodedQuestions(task.trial, open_asked(benchmark, data.source(benchmark.source)), data.tokenizer)
    respondent = Respondent(encoded, benchmark, model, data, task.trial, context.device)
    batches = respondent.batches()
    threads = loader_threads(task.stages[-1].resources, context.device == "cuda", respondent.decodes)
    with AnswerLog(store, key, benchmark.name, context.rank) as log:
        answered = from_rank_0(lambda: _of_batches(log.read(), batches))
        left = [number for number in range(len(batches)) if number not in answered]
        parts_of = {number: list(batches[number].split(task.question_parts)) for number in left}
        mine = left[context.rank :: context.world]
        done, total = len(answered), len(batches)
        with closing(respondent.load([part for number in mine for part in parts_of[number]], threads)) as loaded:
            for start in range(0, len(left), context.world):  # all ranks yield equally often, with or without a batch
                for number in left[start + context.rank : start + context.rank + 1]:
                    answers = [answer for part in parts_of[number] for answer in respondent.answer(part, loaded)]
                    answered[number] = answers
                    log.write(number, answers)
                done = min(total, done + context.world)
                seconds = time.perf_counter() - started
                rate = (start + context.world) / seconds
                yield UnitDone(
                    node=task.evaluation_node,
                    label=label,
                    step=done,
                    steps=total,
                    rate=rate * len(encoded.plan) / total,
                    eta_s=(total - done) / rate,
                )
        answered = _gathered(answered, context)
        if context.rank == 0:
            devices = context.world * task.stages[-1].resources.devices_per_worker
            gpu_seconds = (time.perf_counter() - started) * devices
            rows = encoded.questions.rows(_in_order(answered, batches))
            form = data.tokenizer.question_form(task.trial.language.prompt)
            write_result(task, benchmark, encoded.questions, rows, key, gpu_seconds, store, form)
            log.discard()


def _in_order(answered: dict[int, list[Answer]], batches: list[QuestionBatch]) -> list[Answer]:
    """Order the answers as the questions are."""
    pairs = [pair for number, batch in enumerate(batches) for pair in zip(batch.numbers, answered[number], strict=True)]
    return [answer for _, answer in sorted(pairs, key=lambda pair: pair[0])]


def _of_batches(logged: dict[int, list[Answer]], batches: list[QuestionBatch]) -> dict[int, list[Answer]]:
    """Keep the answers to batches of this plan that have one for each question; the other batches are asked again."""
    return {
        number: answers
        for number, answers in logged.items()
        if 0 <= number < len(batches) and len(answers) == len(batches[number].numbers)
    }


def _gathered(answered: dict[int, list[Answer]], context: Context) -> dict[int, list[Answer]]:
    if context.world == 1:
        return answered
    parts: list[dict[int, list[Answer]] | None] = [None] * context.world
    dist.all_gather_object(parts, answered)
    return {number: answers for part in parts if part for number, answers in part.items()}
