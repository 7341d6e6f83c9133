"""The identity of a score, and its two files: a row per example, and the result that points to it. No torch."""

from __future__ import annotations

from typing import Any

import pyarrow.parquet as pq

from search_spaces.identity import benchmark_key, fingerprint, resize_version, vision_identity, weights_name
from search_spaces.spec import BenchmarkSpec, LanguageSpec, TrialSpec
from trainables.benchmarks.contract import Row
from trainables.benchmarks.registry import find_protocol, is_evaluation
from trainables.benchmarks.scorers.summaries import points
from trainables.benchmarks.scoring import example_table
from trainables.evaluation.questions import Questions, units
from trainables.storage import layout
from trainables.storage.record_files import read, write
from trainables.storage.records import EvaluationResult, StageResult
from trainables.storage.store import Store
from trainables.task import TrialTask


def evaluation_key(task: TrialTask, benchmark: BenchmarkSpec, results: list[StageResult]) -> str:
    """Identity of a score: digests of all weights, the model around them, the benchmark's data and protocol."""
    spec = task.trial
    trained = {name: digest for result in results for name, digest in result.modules.items()}
    start = {
        "vision": _vision_origin(spec, task),
        "language": _origin(spec.language.checkpoint, spec.seed, task),
        "projector": spec.seed,
    }
    return fingerprint(
        {
            **resize_version(spec.vision),
            **_protocol_version(benchmark),
            "weights": {**start, **trained},
            "vision": {"options": {}, **vision_identity(spec.vision)},
            "projector": spec.projector.model_dump(mode="json", exclude_defaults=True),
            "language": _language(spec.language),
            "precision": spec.stages[-1].precision,
            "benchmark": benchmark_key(benchmark, task.digests),
        }
    )


def _protocol_version(benchmark: BenchmarkSpec) -> dict[str, int]:
    """What the program does for a protocol's name, where that has changed."""
    version = find_protocol(benchmark)[1].version if is_evaluation(benchmark.source) else 1
    return {} if version == 1 else {"protocol_version": version}


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


def read_results(task: TrialTask, results: list[StageResult], store: Store) -> dict[str, EvaluationResult]:
    """The finished evaluations of a trial, of benchmarks and samples, by id."""
    found = {b.id: read(store, result_name(task, b, results), EvaluationResult) for b in task.asked}
    return {name: result for name, result in found.items() if result is not None}


def result_name(task: TrialTask, benchmark: BenchmarkSpec, results: list[StageResult]) -> str:
    return layout.evaluation_result(evaluation_key(task, benchmark, results), benchmark.id)


def write_result(
    task: TrialTask,
    benchmark: BenchmarkSpec,
    questions: Questions,
    rows: list[Row],
    key: str,
    gpu_seconds: float,
    store: Store,
) -> None:
    """Per-example rows first, the result that points to them last."""
    counted = [row for row in rows if questions.protocol.counts(row.example)]
    metadata = {"benchmark": benchmark.id, "protocol": benchmark.protocol, "model digest": key, "seed": task.trial.seed}
    name = layout.evaluation_examples(key, benchmark.id)
    with store.writing(name) as aside:
        pq.write_table(example_table(counted, {field: str(value) for field, value in metadata.items()}), aside)
    summary = questions.protocol.summarise(rows)
    result = EvaluationResult(
        key=key,
        asked=str(benchmark_key(benchmark, task.digests)),
        benchmark=benchmark.id,
        protocol=benchmark.protocol,
        n=len(counted),
        unparsable=sum(not row.parsed.ok for row in counted),
        points=points([row.score for row in counted]),
        headline=questions.protocol.headline,
        metrics=dict(summary.metrics),
        units=units(questions.protocol, summary.metrics),
        warnings=tuple(summary.warnings),
        majority=questions.best_constant(rows),
        constant=len({row.prediction for row in counted}) == 1,
        gpu_seconds=gpu_seconds,
        examples=name,
    )
    write(store, layout.evaluation_result(key, benchmark.id), result)
