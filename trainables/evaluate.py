"""Scoring what was saved: the consolidated weights in a plain model, one replica per worker, never the live engine."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
import torch.distributed as dist

from search_spaces.errors import InputError
from search_spaces.identity import benchmark_key, fingerprint, resize_version, vision_identity, weights_name
from search_spaces.spec import BenchmarkSpec, LanguageSpec, TrialSpec
from trainables import layout
from trainables.benchmarks.closed_answers import ClosedAnswers, Example, open_benchmark
from trainables.features import encode_images
from trainables.model.spread import Parts, spread
from trainables.model.tokenizer import IGNORE
from trainables.model.vision import VisionEncoder
from trainables.model.vlm import VLM, Batch, assemble, build_modules, cast_statistics
from trainables.records import EvaluationResult, Progress, StageResult
from trainables.store import LocalStore, get_json, put_json
from trainables.task import Context, TrialTask
from trainables.trial_data import TrialData, pad
from trainables.weights_io import load_weights

BATCH = 128
"""Examples of one forward pass. Fixed: kernels are not invariant to it, and results must not depend on hardware."""


def evaluation_key(task: TrialTask, benchmark: BenchmarkSpec, results: list[StageResult]) -> str:
    """Identity of a score: digests of all weights, the model around them, the benchmark's data and protocol."""
    spec = task.trial
    trained = {name: digest for result in results for name, digest in result["modules"].items()}
    start = {
        "vision": _vision_origin(spec, task),
        "language": _origin(spec.language.checkpoint, spec.seed, task),
        "projector": spec.seed,
    }
    return fingerprint(
        {
            **resize_version(spec.vision),
            "weights": {**start, **trained},
            "vision": {"options": {}, **vision_identity(spec.vision)},
            "projector": spec.projector.model_dump(mode="json", exclude_defaults=True),
            "language": _language(spec.language),
            "precision": spec.stages[-1].precision,
            "benchmark": benchmark_key(benchmark, task.digests),
        }
    )


def _vision_origin(spec: TrialSpec, task: TrialTask) -> str | int | list[str | int]:
    """Where an encoder's weights start from; of a fused one, where those of each part do."""
    origins = [_origin(tower.checkpoint, spec.seed, task) for tower in spec.vision.towers]
    return origins if spec.vision.parts else origins[0]


def _language(language: LanguageSpec) -> dict[str, Any]:
    """All that may change an answer. An option that came later is left out at its default: old scores stay found."""
    later = {"embedding_multiple"} if language.embedding_multiple == 1 else set()
    return language.model_dump(mode="json", exclude={"name", *later})


def _origin(checkpoint: str | None, seed: int, task: TrialTask) -> str | int:
    return task.digests[weights_name(checkpoint)] if checkpoint else seed


def evaluate(
    task: TrialTask, results: list[StageResult], data: TrialData, context: Context, store: LocalStore
) -> Iterator[Progress]:
    """Score every benchmark that has no result yet; yields after each batch, on all ranks equally often."""
    todo = [b for b in task.benchmarks if not store.exists(_result_name(task, b, results))]
    if not todo:
        return
    model = load_trained(task, results, data, context, store)
    for number, benchmark in enumerate(todo):
        label = f"evaluate {benchmark.id} ({number + 1}/{len(todo)})"
        yield from _score_benchmark(task, benchmark, results, model, data, context, store, label)


def load_trained(
    task: TrialTask, results: list[StageResult], data: TrialData, context: Context, store: LocalStore
) -> VLM:
    """The model that the trial's stages have left on storage, ready to answer; without its encoder where that has
    nothing to do."""
    with_vision = not task.has_features_of(benchmark.source for benchmark in task.benchmarks)
    return _load(task, results, data, store, with_vision, torch.device(context.device))


def load_whole(task: TrialTask, results: list[StageResult], data: TrialData, store: LocalStore) -> VLM:
    """The same model with its encoder, on the CPU."""
    return _load(task, results, data, store, True, torch.device("cpu"))


def _load(
    task: TrialTask,
    results: list[StageResult],
    data: TrialData,
    store: LocalStore,
    with_vision: bool,
    device: torch.device,
) -> VLM:
    def made() -> Parts:
        model = build_modules(task.trial, data.tokenizer, data.root, with_vision)
        load_weights(model, results, store)
        return dict(model.named_children())

    model = assemble(task.trial, spread(made, precision(task.trial), device), data.tokenizer)
    cast_statistics(model, precision(task.trial))
    return model.eval()


def precision(spec: TrialSpec) -> torch.dtype:
    return torch.bfloat16 if spec.stages[-1].precision == "bf16" else torch.float32


def _result_name(task: TrialTask, benchmark: BenchmarkSpec, results: list[StageResult]) -> str:
    return layout.evaluation_result(evaluation_key(task, benchmark, results), benchmark.id)


def _score_benchmark(
    task: TrialTask,
    benchmark: BenchmarkSpec,
    results: list[StageResult],
    model: VLM,
    data: TrialData,
    context: Context,
    store: LocalStore,
    label: str,
) -> Iterator[Progress]:
    key, started = evaluation_key(task, benchmark, results), time.perf_counter()
    source = data.source(benchmark.source)
    closed = open_benchmark(benchmark, source)
    reader = _Questions(task, benchmark, closed, model, data, context)
    batches = reader.batches()
    chosen: dict[int, int] = {}
    rounds = -(-len(batches) // context.world)  # every rank yields equally often, with or without a batch
    for number in range(rounds):
        mine = number * context.world + context.rank
        if mine < len(batches):
            chosen.update(zip(batches[mine], reader.answer(batches[mine]), strict=True))
        done = min(len(batches), (number + 1) * context.world)
        seconds = time.perf_counter() - started
        yield {
            "event": "progress",
            "node": task.evaluation_node,
            "label": label,
            "step": done,
            "steps": len(batches),
            "rate": done * BATCH / seconds,
            "eta_s": seconds / done * (len(batches) - done),
        }
    chosen = _gather(chosen, context)
    if context.rank == 0:
        gpu_seconds = (time.perf_counter() - started) * context.world
        _write(task, benchmark, closed, [chosen[i] for i in range(len(closed.examples))], key, gpu_seconds, store)


class _Questions:
    """Batches of one benchmark's questions, sorted by length, and the model's choice for each."""

    def __init__(
        self,
        task: TrialTask,
        benchmark: BenchmarkSpec,
        closed: ClosedAnswers,
        model: VLM,
        data: TrialData,
        context: Context,
    ) -> None:
        spec, self._tokenizer = task.trial, data.tokenizer
        self._model, self._closed, self._context, self._spec = model, closed, context, spec
        self._source = data.source(benchmark.source)
        self._features = data.features(benchmark.source)
        style, length = spec.language.prompt, spec.language.max_length
        if style == "caption":
            raise InputError("the prompt style of a language model must ask questions, but `caption` drops them")
        self._prompts = [self._tokenizer.encode_question(style, e.question, length) for e in closed.examples]
        self._options = [self._option(answer) for answer in closed.answers]
        self._first = [option[0] for option in self._options]
        self._by_first_token = len(set(self._first)) == len(self._first)

    def batches(self) -> list[list[int]]:
        """Example numbers, longest prompts first; questions with and without an image apart."""
        order = sorted(range(len(self._prompts)), key=lambda i: (self._has_image(i), -len(self._prompts[i]), i))
        groups: list[list[int]] = []
        for i in order:
            if not groups or len(groups[-1]) == BATCH or self._has_image(groups[-1][0]) != self._has_image(i):
                groups.append([])
            groups[-1].append(i)
        return groups

    @torch.inference_mode()
    def answer(self, numbers: list[int]) -> list[int]:
        """Index of the most likely answer of each example; the first of equals.

        Where all answers begin with different tokens their first tokens decide, in one pass; otherwise every answer is
        read out, end token included, and the sums of log-probabilities decide.
        """
        if self._by_first_token:
            prompts = [np.asarray(self._prompts[i], np.int64) for i in numbers]
            batch = self._batch(numbers, prompts, [np.full(len(p), IGNORE, np.int64) for p in prompts])
            last_B = torch.tensor([len(prompt) - 1 for prompt in prompts], device=batch.ids_BT.device)
            logits = self._model.token_logits(batch, last_B)[:, self._first]
        else:
            columns = [self._model.label_log_probs(self._with_option(numbers, option)) for option in self._options]
            logits = torch.stack(columns, dim=1)
        return logits.argmax(dim=1).tolist()

    def _with_option(self, numbers: list[int], option: list[int]) -> Batch:
        rows = [np.asarray(self._prompts[i] + option, np.int64) for i in numbers]
        labels = [np.where(np.arange(len(row)) < len(row) - len(option), IGNORE, row) for row in rows]
        return self._batch(numbers, rows, labels)

    def _option(self, answer: str) -> list[int]:
        return self._tokenizer.encode_answer(self._spec.language.prompt, answer)

    def _has_image(self, number: int) -> bool:
        return self._closed.examples[number].image_row >= 0

    def _batch(self, numbers: list[int], ids: list[np.ndarray[Any, Any]], labels: list[np.ndarray[Any, Any]]) -> Batch:
        tensors = pad(ids, labels, self._tokenizer.pad)
        features_BPC = None
        if self._has_image(numbers[0]):
            rows = [self._closed.examples[i].image_row for i in numbers]
            features_BPC = torch.from_numpy(self._image_features(rows))
        return Batch(*tensors, None, features_BPC).to(self._context.device, precision(self._spec))

    def _image_features(self, rows: list[int]) -> np.ndarray[Any, np.dtype[np.float32]]:
        if self._features is not None:
            return self._features[rows]
        encoder = self._model.vision
        assert isinstance(encoder, VisionEncoder)
        unique = sorted(set(rows))
        encoded = [
            encode_images(encoder, self._source, self._spec.vision, range(row, row + 1), self._context.device)[0]
            for row in unique
        ]
        position = {row: i for i, row in enumerate(unique)}
        return np.stack([encoded[position[row]] for row in rows])


def _gather(chosen: dict[int, int], context: Context) -> dict[int, int]:
    if context.world == 1:
        return chosen
    parts: list[dict[int, int] | None] = [None] * context.world
    dist.all_gather_object(parts, chosen)
    return {number: choice for part in parts if part for number, choice in part.items()}


def _write(
    task: TrialTask,
    benchmark: BenchmarkSpec,
    closed: ClosedAnswers,
    chosen: list[int],
    key: str,
    gpu_seconds: float,
    store: LocalStore,
) -> None:
    """Per-example rows first, the result that points to them last."""
    examples, predictions = closed.examples, [closed.answers[choice] for choice in chosen]
    scores = [float(p == e.answer) for p, e in zip(predictions, examples, strict=True)]
    metadata = {"benchmark": benchmark.id, "protocol": benchmark.protocol, "model digest": key, "seed": task.trial.seed}
    name = layout.evaluation_examples(key, benchmark.id)
    with store.aside(name) as aside:
        pq.write_table(
            _table(examples, predictions, scores).replace_schema_metadata({k: str(v) for k, v in metadata.items()}),
            aside,
        )
    result: EvaluationResult = {
        "key": key,
        "asked": str(benchmark_key(benchmark, task.digests)),
        "benchmark": benchmark.id,
        "protocol": benchmark.protocol,
        "n": len(examples),
        "unparsable": 0,
        "metrics": {"accuracy": 100 * sum(scores) / len(scores)},
        "majority": closed.majority(),
        "constant": len(set(predictions)) == 1,
        "gpu_seconds": gpu_seconds,
        "examples": name,
    }
    put_json(store, layout.evaluation_result(key, benchmark.id), result)


def _table(examples: tuple[Example, ...], predictions: list[str], scores: list[float]) -> Any:
    return pa.table(
        {
            "id": [example.id for example in examples],
            "cluster": [example.cluster for example in examples],
            "prediction": predictions,
            "parsed": predictions,
            "score": pa.array(scores, pa.float32()),
        }
    )


def read_results(task: TrialTask, results: list[StageResult], store: LocalStore) -> dict[str, EvaluationResult]:
    """The finished evaluations of a trial, by benchmark."""
    found = {b.id: get_json(store, _result_name(task, b, results)) for b in task.benchmarks}
    return {name: result for name, result in found.items() if result is not None}  # type: ignore[misc]
