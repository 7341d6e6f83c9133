"""Put what every arm has answered to a question side by side, from storage.

for questions in stored_answers(plan, store, ledger, AnswerFilter(which="differ"), limit=20):
    questions.benchmark, questions.ids, questions.answers_to(questions.ids[0])
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
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
    """Answers of trials to the first of the chosen questions of one benchmark; Q are questions, T trials."""

    benchmark: str
    ids: tuple[str, ...]
    """Of the questions that were read, in the order to look at them."""
    chosen: int
    """Questions that were chosen, of which those that were read are the first."""
    of: int
    """Questions of the benchmark."""
    images: Mapping[str, str]
    """Id of a question that was read -> what its image is called."""
    trials: tuple[tuple[str, int], ...]
    """Arm and seed."""
    left_out: tuple[str, ...]
    """Trials that answered other questions, or whose answers cannot be read, each with the reason."""
    _answers: Mapping[str, tuple[Answer, ...]]

    def answers_to(self, question: str) -> tuple[Answer, ...]:
        """Return what the trials answered to one of the questions that were read, in the order of the plan."""
        return self._answers[question]


def stored_answers(
    plan: Plan, store: Store, ledger: Ledger, wanted: AnswerFilter, *, limit: int | None = None
) -> Iterator[StoredAnswers]:
    """Read the answers of a study, benchmark by benchmark, and choose the questions to look at.

    Args:
        plan: whose trials are read.
        store: where their answers lie.
        ledger: of the plan.
        wanted: arms, benchmarks, and which questions.
        limit: of each benchmark, so many of the chosen questions are read at most; None for all. Of the others only
            ids and scores are held.
    """
    for benchmark in plan.benchmarks:
        if wanted.benchmarks and benchmark.id not in wanted.benchmarks:
            continue
        answers = _read(plan, store, ledger, benchmark.id, wanted, limit)
        if answers is not None:
            yield answers


def _read(
    plan: Plan, store: Store, ledger: Ledger, benchmark: str, wanted: AnswerFilter, limit: int | None
) -> StoredAnswers | None:
    trials, paths, scores, left_out = list[tuple[str, int]](), list[Path](), list[Scores](), list[str]()
    questions: pa.Table | None = None
    for trial in plan.trials:
        evaluation = ledger.evaluations.get((trial.id, benchmark))
        if evaluation is None or (wanted.arms and trial.arm not in wanted.arms):
            continue
        name = f"{trial.arm} (seed {trial.seed})"
        try:
            path = verified_examples(store, evaluation)
            table = read_answers(path, ("id", "score") if questions is not None else ("id", "cluster", "score"))
        except InputError as error:
            left_out.append(f"{name}: {first_line(error)}")
            continue
        questions = questions if questions is not None else table
        places = _places_in(table, questions["id"])
        if places is None:
            left_out.append(f"{name}: it was asked other questions")
            continue
        trials.append((trial.arm, trial.seed))
        paths.append(path)
        scores.append(np.asarray(table["score"].take(places).to_numpy(), np.float64))
    if questions is None:
        return None
    rows = _CHOOSE[wanted.which](np.stack(scores), [arm for arm, _ in trials])
    read = questions.take(pa.array(rows[:limit]))
    ids = tuple(map(str, read["id"].to_pylist()))
    said = [_answers(arm, seed, path, read["id"]) for (arm, seed), path in zip(trials, paths, strict=True)]
    return StoredAnswers(
        benchmark,
        ids,
        len(rows),
        questions.num_rows,
        dict(zip(ids, map(str, read["cluster"].to_pylist()), strict=True)),
        tuple(trials),
        tuple(left_out),
        dict(zip(ids, zip(*said, strict=True), strict=True)),
    )


def _answers(arm: str, seed: int, path: Path, ids: pa.ChunkedArray) -> list[Answer]:
    """Read the answers of a trial to some of its questions, in their order."""
    table = read_answers(path, ("id", "prediction", "score"))
    rows = table.take(pc.index_in(ids, value_set=table["id"]))
    said = zip(rows["prediction"].to_pylist(), rows["score"].to_pylist(), strict=True)
    return [Answer(arm, seed, str(text or ""), float(score)) for text, score in said]


def _places_in(table: pa.Table, ids: pa.ChunkedArray) -> pa.ChunkedArray | None:
    """Find where a table has these ids; None where its own are not the same."""
    if table.num_rows != len(ids):
        return None
    places = pc.index_in(ids, value_set=table["id"])
    return None if places.null_count else places


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
