"""Evaluate the saved weights of a trial in a plain model, one replica per worker; the training engine is not used."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from typing import assert_never

import numpy as np
import torch
import torch.distributed as dist

from search_spaces.errors import InputError
from search_spaces.outcomes import UnitDone
from search_spaces.spec import BenchmarkSpec, TrialSpec
from trainables.evaluation.answer_log import Answer, AnswerLog
from trainables.evaluation.answering import Answerer, Images
from trainables.evaluation.question_batches import Question, QuestionBatch, Way, plan_batches
from trainables.evaluation.questions import Questions
from trainables.evaluation.results import evaluation_key, result_name, write_result
from trainables.evaluation.shown_images import open_asked
from trainables.feature_files import Features
from trainables.features import IMAGES_AT_ONCE, encode_pixels, load_images
from trainables.model.broadcast import Parts, broadcast_modules
from trainables.model.images import Pixels
from trainables.model.precision import dtype_of
from trainables.model.tokenizer import Tokenizer
from trainables.model.vision import VisionEncoder
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
    def build() -> Parts:
        model = build_modules(task.trial, data.tokenizer, data.root, with_vision, stored_modules(results))
        load_weights(model, results, store)
        return dict(model.named_children())

    model = assemble(task.trial, broadcast_modules(build, precision(task.trial), device), data.tokenizer)
    cast_statistics(model, precision(task.trial))
    return model.eval()


def precision(spec: TrialSpec) -> torch.dtype:
    """Return the precision of evaluation: that of the last stage."""
    return dtype_of(spec.stages[-1].precision)


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
    encoded = _EncodedQuestions(task.trial, open_asked(benchmark, data.source(benchmark.source)), data.tokenizer)
    respondent = _Respondent(encoded, benchmark, model, data, task.trial, context.device)
    batches = plan_batches(
        encoded.plan, task.trial.vision.tokens, respondent.answerer.most_positions, respondent.answerer.window
    )
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
            gpu_seconds = (time.perf_counter() - started) * context.world
            rows = encoded.questions.rows(_in_order(answered, batches))
            form = data.tokenizer.question_form(task.trial.language.prompt)
            write_result(task, benchmark, encoded.questions, rows, key, gpu_seconds, store, form)
            log.discard()


class _EncodedQuestions:
    """Questions of a benchmark as token ids of a model."""

    def __init__(self, spec: TrialSpec, questions: Questions, tokenizer: Tokenizer):
        self.questions, self._tokenizer = questions, tokenizer
        language, protocol = spec.language, questions.protocol
        if language.prompt == "caption":
            raise InputError("the prompt style of a language model must ask questions, but `caption` drops them")
        self.most_tokens = protocol.max_new_tokens
        self.prompts = [
            tokenizer.encode_question(language.prompt, protocol.prompt(example), language.max_length)
            for example in questions.examples
        ]
        encoded: dict[tuple[str, ...], list[list[int]]] = {(): []}
        self.options: list[list[list[int]]] = []
        for example in questions.examples:
            texts = protocol.options(example)
            if texts not in encoded:
                encoded[texts] = [tokenizer.encode_answer(language.prompt, text) for text in texts]
            self.options.append(encoded[texts])
        self.plan = [
            self._question(prompt, image, options)
            for prompt, image, options in zip(self.prompts, questions.image_rows, self.options, strict=True)
        ]

    def _question(self, prompt: list[int], image: int, options: list[list[int]]) -> Question:
        if not options:
            return Question(len(prompt), image, "generate", self.most_tokens)
        distinct = len({option[0] for option in options}) == len(options)
        way: Way = "first-token" if distinct else "whole-options"
        longest = 1 if distinct else max(map(len, options))
        return Question(len(prompt), image, way, longest, len(options))


class _Respondent:
    """Model with its images and tokenizer, which answers batches of questions."""

    def __init__(
        self,
        questions: _EncodedQuestions,
        benchmark: BenchmarkSpec,
        model: VLM,
        data: TrialData,
        spec: TrialSpec,
        device: str,
    ):
        self._questions, self._model, self._spec, self._device = questions, model, spec, device
        self._source, self._features = data.source(benchmark.source), data.features(benchmark.source)
        self._data = data
        self._tokenizer = data.tokenizer
        self.answerer = Answerer(model, data.tokenizer.pad, data.tokenizer.end, device, precision(spec))

    @property
    def decodes(self) -> bool:
        """Whether images are decoded, rather than their features read."""
        return self._features is None and not self._questions.questions.is_blank

    def load(self, batches: Iterable[QuestionBatch], threads: int) -> Generator[Pixels, None, None]:
        """Load the images of batches in their order, as many at once as the encoder takes; none that are not decoded.

        Args:
            batches: that will be answered.
            threads: that load ahead.
        """
        with_image = [batch for batch in batches if self.decodes and batch.has_image]
        chunks = [chunk for batch in with_image for chunk in _chunks(self._image_rows(batch))]
        return load_images(self._source, self._spec.vision, chunks, threads)

    def answer(self, batch: QuestionBatch, loaded: Iterator[Pixels]) -> list[Answer]:
        """Answer a batch.

        Args:
            batch: the next one.
            loaded: images of this batch and those after it (`load`).
        """
        prompts = [self._questions.prompts[number] for number in batch.numbers]
        images = self._images(batch, loaded) if batch.has_image else None
        options = [self._questions.options[number] for number in batch.numbers]
        match batch.way:
            case "generate":
                texts = self.answerer.generate(prompts, images, self._questions.most_tokens)
                return [self._tokenizer.decode_answer(self._spec.language.prompt, text) for text in texts]
            case "first-token":
                return [*self.answerer.rank_first_tokens(prompts, images, options)]
            case "whole-options":
                return [*self.answerer.rank_options(prompts, images, options)]
            case _:
                assert_never(batch.way)

    def _images(self, batch: QuestionBatch, loaded: Iterator[Pixels]) -> Images:
        if self._questions.questions.is_blank:
            blank_BPC = self._data.blank_features(self._model.vision, self._device)
            return Images(torch.from_numpy(blank_BPC), [0] * len(batch.numbers))
        unique = self._image_rows(batch)
        position = {row: i for i, row in enumerate(unique)}
        of_prompt = [position[self._questions.questions.image_rows[number]] for number in batch.numbers]
        return Images(torch.from_numpy(self._encoded(unique, loaded)), of_prompt)

    def _image_rows(self, batch: QuestionBatch) -> list[int]:
        return sorted({self._questions.questions.image_rows[number] for number in batch.numbers})

    def _encoded(self, rows: list[int], loaded: Iterator[Pixels]) -> Features:
        """Return features of some images: cached ones, or the encoder's, whose batches follow from the plan, too."""
        if self._features is not None:
            return self._features.rows(self._source.picture_rows[rows])
        encoder = self._model.vision
        assert isinstance(encoder, VisionEncoder)
        return np.concatenate([encode_pixels(encoder, next(loaded), self._device) for _ in _chunks(rows)])


def _chunks(rows: list[int]) -> list[list[int]]:
    """Split images into those that the encoder takes at once."""
    return [rows[start : start + IMAGES_AT_ONCE] for start in range(0, len(rows), IMAGES_AT_ONCE)]


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
