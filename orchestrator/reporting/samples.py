"""Answers of the arms side by side, where they differ most: what a difference in points looks like.

The one place from which views get qualitative samples. They come from the examples that every evaluation leaves on
storage (`id, cluster, prediction, score`, and the question where there is a column `prompt`), of the first seed that
all arms with scores on the benchmark have.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow.parquet as pq

from orchestrator.analysis.study_scores import StudyScores
from orchestrator.ledger import Ledger
from orchestrator.reporting.model import Sample
from search_spaces.plan import Plan
from trainables.store import Store

SHOWN_ARMS = 6
"""The base and the arms that follow it in plan order: more do not fit side by side."""
SHOWN = 3
"""Of each benchmark."""
ANSWER_SIZE = 200
"""Characters of an answer that are shown."""

Answers = Mapping[str, Mapping[str, Any]]
"""Example id -> its columns."""


def samples(plan: Plan, store: Store, ledger: Ledger, scored: StudyScores) -> tuple[Sample, ...]:
    """Of every benchmark the examples on which the arms' scores vary most; of equal ones the first by id."""
    arms = [arm for arm in dict.fromkeys(trial.arm for trial in plan.trials) if scored.scores.seeds(arm, ())]
    found: list[Sample] = []
    for benchmark in scored.benchmarks:
        with_scores = [arm for arm in arms if scored.scores.seeds(arm, (benchmark,))][:SHOWN_ARMS]
        seeds = [set(scored.scores.seeds(arm, (benchmark,))) for arm in with_scores]
        common = sorted(set.intersection(*seeds)) if len(seeds) > 1 else []
        if common:
            found += _of_benchmark(benchmark, _read(plan, store, ledger, benchmark, with_scores, common[0]))
    return tuple(found)


def _read(
    plan: Plan, store: Store, ledger: Ledger, benchmark: str, arms: Sequence[str], seed: int
) -> dict[str, Answers]:
    of_arm = {trial.arm: trial.id for trial in plan.trials if trial.seed == seed}
    answers: dict[str, Answers] = {}
    for arm in arms:
        table = pq.read_table(store.path(ledger.evaluations[of_arm[arm], benchmark]["examples"]))
        answers[arm] = {str(row["id"]): row for row in table.to_pylist()}
    return answers


def _of_benchmark(benchmark: str, answers: Mapping[str, Answers]) -> list[Sample]:
    arms = list(answers)
    ids = sorted(set.intersection(*(set(answers[arm]) for arm in arms)))

    def variation(name: str) -> float:
        scores = [float(answers[arm][name]["score"]) for arm in arms]
        mean = sum(scores) / len(scores)
        return sum((score - mean) ** 2 for score in scores)

    chosen = sorted((name for name in ids if variation(name) > 0), key=lambda name: (-round(variation(name), 9), name))
    samples = []
    for name in chosen[:SHOWN]:
        row = answers[arms[0]][name]
        prompt = row.get("prompt")
        said = {
            arm: (str(answers[arm][name]["prediction"])[:ANSWER_SIZE], float(answers[arm][name]["score"]))
            for arm in arms
        }
        samples.append(Sample(benchmark, name, str(row["cluster"]), str(prompt) if prompt is not None else None, said))
    return samples
