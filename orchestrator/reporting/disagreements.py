"""Answers of the arms side by side, where they differ most: what a difference in points looks like.

Answers come from the examples that every evaluation leaves on storage (`id, cluster, prediction, score`, and the
question where there is a column `prompt`), of the first seed that all arms with scores on the benchmark have;
questions, right answers and images come from the prepared data. Answers to the prompts that a study names as its
`samples` are another matter: `orchestrator.reporting.open_prompts`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa

from orchestrator.analysis.examples import read_answers, verified_examples
from orchestrator.analysis.study_scores import StudyScores
from orchestrator.reporting.asked_questions import asked_questions
from orchestrator.state.ledger import Ledger
from search_spaces.errors import InputError
from search_spaces.plan import Plan
from search_spaces.spec import BenchmarkSpec, PixelSpec
from trainables.storage.records import EvaluationResult
from trainables.storage.store import Store

logger = logging.getLogger(__name__)

SHOWN_ARMS = 6
"""The base and the arms that follow it in plan order: more do not fit side by side."""
SHOWN = 3
"""Of each benchmark."""
ANSWER_SIZE = 200
"""Characters of an answer that are shown."""


@dataclass(frozen=True)
class Sample:
    """Answers of the arms to one question, side by side. From the examples of one seed (`samples`)."""

    benchmark: str
    id: str
    image: str
    """Its name."""
    prompt: str | None
    """None where neither the examples nor the prepared data have it."""
    answers: dict[str, tuple[str, float]]
    """Arm -> what it said, and the score of that from 0 to 1."""
    label: str | None = None
    """The right answer; None where the prepared data are no longer on storage, as label and image are then."""
    image_bytes: bytes | None = None
    """The file as it was prepared."""
    pixels: PixelSpec | None = None
    """How it becomes pixels; None without an image."""


def samples(plan: Plan, store: Store, ledger: Ledger, scored: StudyScores) -> tuple[Sample, ...]:
    """Choose of every benchmark the examples on which the arms' scores vary most; of equal ones the first by id.

    Args:
        plan: whose arms are compared.
        store: where their examples lie.
        ledger: of the plan.
        scored: the scores of the ledger.
    """
    arms = list(dict.fromkeys(trial.arm for trial in plan.trials))
    specs = {benchmark.id: benchmark for benchmark in plan.benchmarks}
    chosen: list[Sample] = []
    for benchmark in scored.benchmarks:
        with_scores = [arm for arm in arms if scored.scores.seeds(arm, (benchmark,))][:SHOWN_ARMS]
        seeds = [set(scored.scores.seeds(arm, (benchmark,))) for arm in with_scores]
        common = sorted(set.intersection(*seeds)) if len(seeds) > 1 else []
        if common:
            trials = {trial.arm: trial.id for trial in plan.trials if trial.seed == common[0]}
            results = {arm: ledger.evaluations[trials[arm], benchmark] for arm in with_scores}
            of_benchmark = _of_benchmark(benchmark, _tables(results, store))
            chosen += with_questions(of_benchmark, specs[benchmark], store)
    return tuple(chosen)


def with_questions(samples: Sequence[Sample], benchmark: BenchmarkSpec, store: Store) -> Iterator[Sample]:
    """Add question, right answer and image to samples of a benchmark, where its prepared data are on storage.

    Args:
        samples: of the benchmark.
        benchmark: that they are of.
        store: where its prepared data lie.
    """
    asked = asked_questions(benchmark, [sample.id for sample in samples], store)
    for sample in samples:
        question = asked.get(sample.id)
        if question is None:
            yield sample
        else:
            yield replace(
                sample,
                prompt=sample.prompt or question.prompt,
                label=question.reference,
                image_bytes=question.image_bytes,
                pixels=question.pixels,
            )


def _tables(results: Mapping[str, EvaluationResult], store: Store) -> dict[str, pa.Table]:
    """Read the answers of each arm that can be read; of the others a warning names the file.

    Args:
        results: of each arm.
        store: where they lie.
    """
    tables = {}
    for arm, result in results.items():
        try:
            tables[arm] = read_answers(
                verified_examples(store, result),
                ("id", "cluster", "prediction", "score"),
                lambda column: column == "prompt",
            )
        except InputError as error:
            logger.warning("%s: %s; its answers are not shown", error.place, error.law)
    return tables


def _of_benchmark(benchmark: str, tables: Mapping[str, pa.Table]) -> list[Sample]:
    if len(tables) < 2:  # nothing to compare
        return []
    places = {arm: {str(name): i for i, name in enumerate(table["id"].to_pylist())} for arm, table in tables.items()}
    ids = sorted(set.intersection(*(set(place) for place in places.values())))
    scores = np.stack([table["score"].to_numpy()[[places[arm][name] for name in ids]] for arm, table in tables.items()])
    variances = np.round(scores.astype(np.float64).var(axis=0), 9)
    most = [i for i in np.argsort(-variances, kind="stable")[:SHOWN] if variances[i] > 0]
    return [
        _sample(benchmark, {arm: table.slice(places[arm][ids[i]], 1).to_pylist()[0] for arm, table in tables.items()})
        for i in most
    ]


def _sample(benchmark: str, rows: Mapping[str, Mapping[str, Any]]) -> Sample:
    """Make a sample from the row that each arm has of one example."""
    first = next(iter(rows.values()))
    prompt = first.get("prompt")
    return Sample(
        benchmark=benchmark,
        id=str(first["id"]),
        image=str(first["cluster"]),
        prompt=str(prompt) if prompt is not None else None,
        answers={arm: (str(row["prediction"])[:ANSWER_SIZE], float(row["score"])) for arm, row in rows.items()},
    )
