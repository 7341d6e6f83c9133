"""Put what every arm has answered to a question side by side, from storage.

for questions in stored_answers(plan, store, ledger, AnswerFilter(which="differ")):
    questions.benchmark, questions.ids, questions.answers_to(3)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from orchestrator.analysis.examples import read_answers, verified_examples
from orchestrator.state.ledger import Ledger
from search_spaces.error_text import first_line
from search_spaces.errors import InputError
from search_spaces.plan import Plan
from trainables.storage.store import Store

Which = Literal["all", "wrong", "differ"]
"""Which questions are chosen: all; those on which the mean score over the trials is below a half, the lowest first; or
those on which arms differ in their mean score over seeds, by most first."""


@dataclass(frozen=True)
class AnswerFilter:
    """What of the answers of a study is looked at."""

    which: Which = "all"
    arms: tuple[str, ...] = ()
    """None for all."""
    benchmarks: tuple[str, ...] = ()
    """None for all."""


@dataclass(frozen=True)
class Answer:
    """What one trial answered to a question."""

    arm: str
    seed: int
    text: str
    score: float
    """0 to 1."""


@dataclass(frozen=True, eq=False)
class StoredAnswers:
    """Answers of trials to the chosen questions of one benchmark; Q are questions, T trials."""

    benchmark: str
    chosen: tuple[str, ...]
    """Ids of the chosen questions, in the order to look at them."""
    of: int
    """Questions of the benchmark."""
    images: Mapping[str, str]
    """Id of a chosen question -> what its image is called."""
    trials: tuple[tuple[str, int], ...]
    """Arm and seed."""
    left_out: tuple[str, ...]
    """Trials that answered other questions, or whose answers cannot be read, each with the reason."""
    _tables: tuple[pa.Table, ...]
    _places: Mapping[str, int]

    def answers_to(self, question: str) -> tuple[Answer, ...]:
        """Return what the trials answered to one of the chosen questions, in the order of the plan."""
        row = self._places[question]
        return tuple(
            Answer(arm, seed, str(table["prediction"][row].as_py() or ""), float(table["score"][row].as_py()))
            for (arm, seed), table in zip(self.trials, self._tables, strict=True)
        )


def stored_answers(plan: Plan, store: Store, ledger: Ledger, wanted: AnswerFilter) -> Iterator[StoredAnswers]:
    """Read the answers of a study, benchmark by benchmark, and choose the questions to look at.

    Args:
        plan: whose trials are read.
        store: where their answers lie.
        ledger: of the plan.
        wanted: arms, benchmarks, and which questions.
    """
    for benchmark in plan.benchmarks:
        if wanted.benchmarks and benchmark.id not in wanted.benchmarks:
            continue
        answers = _read(plan, store, ledger, benchmark.id, wanted)
        if answers is not None:
            yield answers


def _read(plan: Plan, store: Store, ledger: Ledger, benchmark: str, wanted: AnswerFilter) -> StoredAnswers | None:
    trials, tables, left_out = list[tuple[str, int]](), list[pa.Table](), list[str]()
    for trial in plan.trials:
        evaluation = ledger.evaluations.get((trial.id, benchmark))
        if evaluation is None or (wanted.arms and trial.arm not in wanted.arms):
            continue
        name = f"{trial.arm} (seed {trial.seed})"
        try:
            table = read_answers(verified_examples(store, evaluation), ("id", "cluster", "prediction", "score"))
        except InputError as error:
            left_out.append(f"{name}: {first_line(error)}")
            continue
        aligned = _aligned(table, tables[0]) if tables else table
        if aligned is None:
            left_out.append(f"{name}: it was asked other questions")
            continue
        trials.append((trial.arm, trial.seed))
        tables.append(aligned)
    if not tables:
        return None
    ids = [str(name) for name in tables[0]["id"].to_pylist()]
    scores_TQ = np.stack([np.asarray(table["score"].to_numpy(), np.float64) for table in tables])
    rows = _CHOOSE[wanted.which](scores_TQ, [arm for arm, _ in trials])
    images = tables[0]["cluster"]
    return StoredAnswers(
        benchmark,
        tuple(ids[row] for row in rows),
        len(ids),
        {ids[row]: str(images[int(row)].as_py()) for row in rows},
        tuple(trials),
        tuple(left_out),
        tuple(tables),
        {ids[row]: int(row) for row in rows},
    )


def _aligned(table: pa.Table, first: pa.Table) -> pa.Table | None:
    """Order a table as the ids of another; None where the ids are not the same."""
    if table["id"].equals(first["id"]):
        return table
    if table.num_rows != first.num_rows:
        return None
    places = pc.index_in(first["id"], value_set=table["id"])
    return None if places.null_count else table.take(places)


Scores = NDArray[np.float64]
Rows = NDArray[np.intp]


def _all(scores_TQ: Scores, arms: Sequence[str]) -> Rows:
    return np.arange(scores_TQ.shape[1])


def _wrong(scores_TQ: Scores, arms: Sequence[str]) -> Rows:
    means_Q = scores_TQ.mean(axis=0)
    order = np.argsort(means_Q, kind="stable")
    wrong: Rows = order[means_Q[order] < 0.5]
    return wrong


def _differing(scores_TQ: Scores, arms: Sequence[str]) -> Rows:
    names = np.array(arms)
    means_AQ = np.stack([scores_TQ[names == arm].mean(axis=0) for arm in dict.fromkeys(arms)])
    gaps_Q = np.round(means_AQ.max(axis=0) - means_AQ.min(axis=0), 9)
    order = np.argsort(-gaps_Q, kind="stable")
    differing: Rows = order[gaps_Q[order] > 0]
    return differing


_CHOOSE: Mapping[Which, Callable[[Scores, Sequence[str]], Rows]] = {
    "all": _all,
    "wrong": _wrong,
    "differ": _differing,
}


def answers_by_arm(answers: Sequence[Answer]) -> dict[str, dict[tuple[str, float], int]]:
    """Count what each arm answered over its seeds: arm -> (text, score) -> trials, the most frequent first."""
    counted: dict[str, dict[tuple[str, float], int]] = {}
    for answer in answers:
        said = counted.setdefault(answer.arm, {})
        said[answer.text, answer.score] = said.get((answer.text, answer.score), 0) + 1
    return {arm: dict(sorted(said.items(), key=lambda pair: -pair[1])) for arm, said in counted.items()}


def answers_json(answers: Sequence[Answer]) -> list[dict[str, Any]]:
    """Turn answers to one question into plain values."""
    return [{"arm": a.arm, "seed": a.seed, "answer": a.text, "score": a.score} for a in answers]
