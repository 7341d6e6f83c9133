"""Identify, read and write scores: a file with a row per example, and the result that names it. No torch."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from search_spaces.identity import (
    Memo,
    batches_version,
    benchmark_key,
    canonical_json,
    canonical_object,
    resize_version,
    source_name,
    text_digest,
    vision_identity,
    weights_name,
)
from search_spaces.spec import BenchmarkSpec, LanguageSpec, TrialSpec, VisionSpec
from trainables.benchmarks.best_reachable import best_row
from trainables.benchmarks.contract import Row
from trainables.benchmarks.priors import BEST_CONSTANT, priors_of
from trainables.benchmarks.reading_notes import best_note, unparsable_notes
from trainables.benchmarks.registry import find_protocol, is_evaluation
from trainables.benchmarks.scorers.summaries import points
from trainables.benchmarks.scoring import asked_table
from trainables.evaluation.questions import Questions, units
from trainables.storage import layout
from trainables.storage.record_files import read, write
from trainables.storage.records import EvaluationResult, StageResult
from trainables.storage.store import Store
from trainables.task import TrialTask


def evaluation_key(
    spec: TrialSpec,
    digests: Mapping[str, str],
    benchmark: BenchmarkSpec,
    results: Sequence[StageResult],
) -> str:
    """Compute the identity of a score: digests of all weights, the model, the benchmark's data and protocol.

    Args:
        spec: of the trial.
        digests: of data and pretrained weights, by `identity.source_name` and `identity.weights_name`.
        benchmark: a benchmark or sample of the trial.
        results: of all stages of the trial.
    """
    return evaluation_keys(spec, digests, [benchmark], results)[benchmark.name]


def evaluation_keys(
    spec: TrialSpec,
    digests: Mapping[str, str],
    benchmarks: Iterable[BenchmarkSpec],
    results: Sequence[StageResult],
    memo: Memo | None = None,
) -> dict[str, str]:
    """Compute the identities of the scores of one trained model, by the names of what was asked.

    Args:
        spec: of the trial.
        digests: of data and pretrained weights, by `identity.source_name` and `identity.weights_name`.
        benchmarks: benchmarks and samples of the trial.
        results: of all stages of the trial.
        memo: keeps what the keys of other trials need again, with the same object of `digests`.
    """
    memo = memo or Memo()
    answering = _answering_texts(spec, digests, results, memo)

    def key(benchmark: BenchmarkSpec) -> str:
        asked = memo.of("asked", (benchmark, digests), lambda: _asked_texts(benchmark, digests))
        return text_digest(canonical_object(**answering, **asked))

    return {benchmark.name: key(benchmark) for benchmark in benchmarks}


def _answering_texts(
    spec: TrialSpec, digests: Mapping[str, str], results: Sequence[StageResult], memo: Memo
) -> dict[str, str]:
    """Write what answers: the model and all of its weights."""
    vision, projector, language, init = spec.vision, spec.projector, spec.language, spec.draws.init
    trained = {name: digest for result in results for name, digest in result.modules.items()}
    start = {
        "vision": _vision_origin(vision, init, digests),
        "language": _origin(language.checkpoint, init, digests),
        "projector": init,
    }
    model = memo.of(
        "answering model",
        (vision, projector, language, digests),
        lambda: {
            **_texts({**resize_version(vision), **_ends_of_answers(language), **batches_version(language)}),
            "vision": canonical_json({"options": {}, **vision_identity(vision)}),
            "projector": canonical_json(projector.model_dump(mode="json", exclude_defaults=True)),
            "language": canonical_json(_language(language, digests)),
        },
    )
    return {**model, **_texts({"weights": {**start, **trained}, "precision": spec.stages[-1].precision})}


def _texts(values: Mapping[str, Any]) -> dict[str, str]:
    return {name: canonical_json(value) for name, value in values.items()}


def _asked_texts(benchmark: BenchmarkSpec, digests: Mapping[str, str]) -> dict[str, str]:
    return _texts({**_protocol_version(benchmark), "benchmark": benchmark_key(benchmark, digests)})


def _protocol_version(benchmark: BenchmarkSpec) -> dict[str, int]:
    """Return the version of a protocol as a part of the identity; nothing for the first version."""
    version = find_protocol(benchmark)[1].version if is_evaluation(benchmark.source) else 1
    return {} if version == 1 else {"protocol_version": version}


def _ends_of_answers(language: LanguageSpec) -> dict[str, int]:
    """Return the version of how answers end, of styles that may end them otherwise than by the tokenizer's token."""
    return {"answer_end": 2} if language.prompt in ("chatml", "template") else {}


def _vision_origin(vision: VisionSpec, seed: int, digests: Mapping[str, str]) -> str | int | list[str | int]:
    """Identify the initial weights of an encoder; of a fused one, those of each part."""
    origins = [_origin(tower.checkpoint, seed, digests) for tower in vision.towers]
    return origins if vision.parts else origins[0]


def _language(language: LanguageSpec, digests: Mapping[str, str]) -> dict[str, Any]:
    """Collect what may change an answer. Options added later are left out at their defaults: old keys stay valid."""
    defaults = {"embedding_multiple": 1, "weights_prefix": ""}
    later = {name for name, default in defaults.items() if getattr(language, name) == default}
    dumped = language.model_dump(mode="json", exclude={"name", *later})
    source, sources = dumped["tokenizer"]["source"], dumped["tokenizer"].pop("sources")
    if source is not None:
        del source["pixels"]  # of images: no part of a vocabulary
        if not source["without"]:
            del source["without"]
    if sources:
        names = [source_name(source) for source in language.tokenizer.sources]
        dumped["tokenizer"]["sources"] = {name: digests[name] for name in names}
    return dumped


def _origin(checkpoint: str | None, seed: int, digests: Mapping[str, str]) -> str | int:
    return digests[weights_name(checkpoint)] if checkpoint else seed


def read_results(task: TrialTask, results: list[StageResult], store: Store) -> dict[str, EvaluationResult]:
    """Read the finished evaluations of a trial, by the name of what was asked.

    Args:
        task: the trial.
        results: of all stages of the trial.
        store: storage of the evaluations.

    Raises:
        InputError: a file that is damaged.
    """
    evaluations = {b.name: read(store, result_name(task, b, results), EvaluationResult) for b in task.evaluation_sets}
    return {name: result for name, result in evaluations.items() if result is not None}


def result_name(task: TrialTask, benchmark: BenchmarkSpec, results: list[StageResult]) -> str:
    """Name the result of an evaluation on storage.

    Args:
        task: the trial.
        benchmark: a benchmark or sample of the task.
        results: of all stages of the trial.
    """
    return layout.evaluation_result(evaluation_key(task.trial, task.digests, benchmark, results), benchmark.name)


def _parts_notes(parts: int) -> list[str]:
    """Say that questions were not answered in whole batches: which ones share a batch changes rounding."""
    if parts == 1:
        return []
    return [f"a device ran out of memory, so batches of questions were answered in {parts} parts: rounding may differ"]


def write_result(
    task: TrialTask,
    benchmark: BenchmarkSpec,
    questions: Questions,
    rows: list[Row],
    key: str,
    gpu_seconds: float,
    store: Store,
    prompt_form: str,
) -> None:
    """Write the rows of all counted examples, then the result that names their file.

    The file has the prompt of every example and what needs no image gets of it (`priors.Priors.columns`), and in its
    metadata the chat format that stood around the prompts.

    Args:
        task: the trial.
        benchmark: a benchmark or sample of the task.
        questions: the benchmark's.
        rows: every example, scored.
        key: identity of the score (`evaluation_key`).
        gpu_seconds: seconds of answering, times the devices of the group.
        store: storage of both files.
        prompt_form: what the model read around a prompt (`Tokenizer.question_form`).
    """
    counted = [row for row in rows if questions.protocol.counts(row.example)]
    best = [best_row(questions.protocol, row.example) for row in rows]
    best_counted = [row for row in best if questions.protocol.counts(row.example)]
    priors = priors_of(questions.protocol, counted, best_counted)
    metadata = {"benchmark": benchmark.id, "protocol": benchmark.protocol, "model digest": key, "seed": task.trial.seed}
    metadata["prompt form"] = prompt_form
    if benchmark.images != "own":
        metadata["images"] = benchmark.images
    name = layout.evaluation_examples(key, benchmark.name)
    with store.writing(name) as aside:
        table = asked_table(counted, questions.protocol, {field: str(value) for field, value in metadata.items()})
        for column, scores in priors.columns.items():
            table = table.append_column(column, pa.array(scores))
        pq.write_table(table, aside, compression="zstd")  # prompts repeat their instruction
        content = aside.read_bytes()
    summary = questions.protocol.summarise(rows)
    reachable = questions.protocol.summarise(best).metrics[questions.protocol.headline]
    result = EvaluationResult(
        key=key,
        asked=str(benchmark_key(benchmark, task.digests)),
        benchmark=benchmark.id,
        protocol=benchmark.protocol,
        n=len(counted),
        unparsable=sum(not row.is_read for row in counted),
        points=points([row.score for row in counted]),
        headline=questions.protocol.headline,
        metrics=dict(summary.metrics),
        units=units(questions.protocol, summary.metrics),
        warnings=(
            *questions.warnings,
            *unparsable_notes(counted),
            *summary.warnings,
            *_parts_notes(task.question_parts),
            *best_note(best_counted, questions.protocol.headline, reachable),
        ),
        best_reachable=points([row.score for row in best_counted]),
        majority=priors.points[BEST_CONSTANT],
        constant=len({row.prediction for row in counted}) == 1,
        gpu_seconds=gpu_seconds,
        examples=name,
        priors=priors.points,
        points_by_chance=points(priors.by_chance.tolist()),
        images=benchmark.images,
        examples_digest=hashlib.sha256(content).hexdigest(),
        examples_bytes=len(content),
    )
    write(store, layout.evaluation_result(key, benchmark.name), result)
