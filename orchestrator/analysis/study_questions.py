"""Read what storage holds of the answers to each question of a study, benchmark by benchmark, and judge the questions.

for questions in judge_questions(plan, store, ledger):
    questions.analysis, questions.suspects, questions.informative
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from orchestrator.analysis.examples import read_answers, verified_examples
from orchestrator.analysis.item_analysis import Responses
from orchestrator.analysis.judged_questions import JudgedQuestions, judge_responses
from orchestrator.state.ledger import Ledger
from search_spaces.error_text import first_line
from search_spaces.errors import InputError
from search_spaces.plan import Plan
from trainables.storage.records import EvaluationResult
from trainables.storage.store import Store

logger = logging.getLogger(__name__)

ScoresOfTrial = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class _Read:
    """What storage holds of the answers to one benchmark."""

    responses: Responses
    results: dict[str, EvaluationResult]
    """Arm -> result of its first trial, which names the per-example Parquet."""
    table: pa.Table
    """Ids in the order of the responses."""
    prior: float
    """Best score, 0 to 1, that needs no image."""


def judge_questions(plan: Plan, store: Store, ledger: Ledger) -> Iterator[JudgedQuestions]:
    """Judge the questions of every benchmark that has scores, in the order of the study; one is held at a time.

    Args:
        plan: whose trials are read.
        store: where their answers lie.
        ledger: of the plan.
    """
    for benchmark in plan.benchmarks:
        read = _read(plan, store, ledger, benchmark.id)
        if read is not None:
            yield judge_responses(read.responses, partial(_answers, read, store), read.prior)


def _read(plan: Plan, store: Store, ledger: Ledger, benchmark: str) -> _Read | None:
    """Read the scores of all trials on a benchmark; of trials with other questions than most none."""
    groups: list[tuple[pa.Table, list[tuple[str, EvaluationResult, ScoresOfTrial]]]] = []
    prior = 0.0
    for trial in plan.trials:
        evaluation = ledger.evaluations.get((trial.id, benchmark))
        if evaluation is None or ledger.trials[trial.id].is_diverged:
            continue
        try:
            table = read_answers(verified_examples(store, evaluation), ("id", "cluster", "score"))
        except InputError as error:
            logger.warning("%s: %s; its answers are not judged", error.place, first_line(error))
            continue
        prior = max(prior, evaluation.majority, *evaluation.priors.values())
        for first, members in groups:
            scores = _aligned(table, first)
            if scores is not None:
                members.append((trial.arm, evaluation, scores.astype(np.float32)))
                break
        else:
            scores = table["score"].to_numpy().astype(np.float32)
            groups.append((table, [(trial.arm, evaluation, scores)]))
    if not groups:
        return None
    first, members = max(groups, key=lambda group: len(group[1]))
    results: dict[str, EvaluationResult] = {}
    for arm, result, _ in members:
        results.setdefault(arm, result)
    responses = Responses(
        benchmark,
        tuple(map(str, first["id"].to_pylist())),
        tuple(map(str, first["cluster"].to_pylist())),
        tuple(arm for arm, _, _ in members),
        np.stack([scores for _, _, scores in members]),
    )
    return _Read(responses, results, first, prior / 100)


def _aligned(table: pa.Table, first: pa.Table, column: str = "score") -> NDArray[Any] | None:
    """Order a column as the ids of another table; None where the ids are not the same."""
    if not table["id"].equals(first["id"]):
        if table.num_rows != first.num_rows:
            return None
        places = pc.index_in(first["id"], value_set=table["id"])
        if places.null_count:
            return None
        table = table.take(places)
    return np.asarray(table[column].to_numpy())


def _answers(read: _Read, store: Store, good: Sequence[str]) -> dict[str, list[str]]:
    """Read what the good arms answered, as it was read from their words; of what cannot be read the word is empty."""
    answers = {}
    for arm in good:
        try:
            table = read_answers(verified_examples(store, read.results[arm]), ("id", "parsed"))
        except InputError as error:
            logger.warning("%s: %s; its answers are not compared", error.place, first_line(error))
            continue
        parsed = _aligned(table, read.table, "parsed")
        if parsed is not None:
            answers[arm] = ["" if text is None else str(text) for text in parsed.tolist()]
    return answers
