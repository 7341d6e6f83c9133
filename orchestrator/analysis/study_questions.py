"""Read what storage holds of the answers to each question of a study, benchmark by benchmark, and judge the questions.

for questions in judge_questions(plan, store, ledger):
    questions.analysis, questions.suspects, questions.informative
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from orchestrator.analysis.examples import read_answers
from orchestrator.analysis.informative import Informative, choose_informative
from orchestrator.analysis.item_analysis import (
    ItemAnalysis,
    Responses,
    Suspect,
    analyse_items,
    good_arms,
    suspects,
)
from orchestrator.state.ledger import Ledger
from search_spaces.error_text import first_line
from search_spaces.errors import InputError
from search_spaces.plan import Plan
from trainables.storage.store import Store

logger = logging.getLogger(__name__)

Scores = NDArray[np.float32]
MOST_GOOD_ARMS = 12
"""Of more arms above the median only the best ones are asked what they answered."""


@dataclass(frozen=True, eq=False)
class JudgedQuestions:
    """The questions of one benchmark."""

    benchmark: str
    analysis: ItemAnalysis | None
    """None where too few arms or trials have scores."""
    reason: str | None
    """Why there is none."""
    suspects: tuple[Suspect, ...] = ()
    """Questions whose label may be wrong, the likeliest first."""
    informative: Informative | None = None
    not_informative: str | None = None
    """Why no questions were chosen that tell arms apart."""


@dataclass(frozen=True, eq=False)
class _Read:
    responses: Responses
    names: dict[str, str]
    """Arm -> name on storage of the per-example Parquet of its first trial."""
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
            yield _judged(read, store)


def _judged(read: _Read, store: Store) -> JudgedQuestions:
    responses = read.responses
    try:
        analysis = analyse_items(responses)
    except InputError as error:
        return JudgedQuestions(responses.benchmark, None, error.law)
    chosen = choose_informative(responses)
    informative, reason = (None, chosen) if isinstance(chosen, str) else (chosen, None)
    found = _suspects(read, store, analysis)
    return JudgedQuestions(responses.benchmark, analysis, None, found, informative, reason)


def _read(plan: Plan, store: Store, ledger: Ledger, benchmark: str) -> _Read | None:
    """Read the scores of all trials on a benchmark; of trials with other questions than most none."""
    groups: list[tuple[pa.Table, list[tuple[str, str, Scores]]]] = []
    prior = 0.0
    for trial in plan.trials:
        evaluation = ledger.evaluations.get((trial.id, benchmark))
        if evaluation is None or ledger.trials[trial.id].is_diverged:
            continue
        try:
            table = read_answers(store.reading(evaluation.examples), ("id", "cluster", "score"))
        except InputError as error:
            logger.warning("%s: %s; its answers are not judged", error.place, first_line(error))
            continue
        prior = max(prior, evaluation.majority, *evaluation.priors.values())
        for first, members in groups:
            scores = _aligned(table, first)
            if scores is not None:
                members.append((trial.arm, evaluation.examples, scores.astype(np.float32)))
                break
        else:
            scores = table["score"].to_numpy().astype(np.float32)
            groups.append((table, [(trial.arm, evaluation.examples, scores)]))
    if not groups:
        return None
    first, members = max(groups, key=lambda group: len(group[1]))
    names: dict[str, str] = {}
    for arm, name, _ in members:
        names.setdefault(arm, name)
    responses = Responses(
        benchmark,
        tuple(map(str, first["id"].to_pylist())),
        tuple(map(str, first["cluster"].to_pylist())),
        tuple(arm for arm, _, _ in members),
        np.stack([scores for _, _, scores in members]),
    )
    return _Read(responses, names, first, prior / 100)


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


def _suspects(read: _Read, store: Store, analysis: ItemAnalysis) -> tuple[Suspect, ...]:
    good = good_arms(read.responses)[:MOST_GOOD_ARMS]
    answers = _answers(read, store, good)
    good = tuple(arm for arm in good if arm in answers)
    if not good:
        return ()
    texts_GQ = np.stack([answers[arm] for arm in good])
    numbers = {text: number for number, text in enumerate(dict.fromkeys(texts_GQ.ravel().tolist()))}
    codes_GQ = np.array([[numbers[text] for text in row] for row in texts_GQ.tolist()], dtype=np.int64)
    codes_GQ[texts_GQ == ""] = -1
    found = suspects(read.responses, good, codes_GQ, read.prior)
    return tuple(_suspect(read.responses, analysis, good, texts_GQ[:, at].tolist(), at) for at in found)


def _answers(read: _Read, store: Store, good: Sequence[str]) -> dict[str, NDArray[Any]]:
    """Read what the good arms answered, as it was read from their words; of what cannot be read the word is empty."""
    answers = {}
    for arm in good:
        try:
            table = read_answers(store.reading(read.names[arm]), ("id", "parsed"))
        except InputError as error:
            logger.warning("%s: %s; its answers are not compared", error.place, first_line(error))
            continue
        parsed = _aligned(table, read.table, "parsed")
        if parsed is not None:
            answers[arm] = np.array(["" if text is None else str(text) for text in parsed.tolist()], dtype=object)
    return answers


def _suspect(
    responses: Responses, analysis: ItemAnalysis, good: Sequence[str], texts: Sequence[str], at: int
) -> Suspect:
    """Make a suspect of a question.

    Args:
        texts: what each good arm answered.
        at: position of the question.
    """
    trials = {arm: responses.arms.index(arm) for arm in good}
    wrong = Counter(
        text for arm, text in zip(good, texts, strict=True) if text and responses.scores_TQ[trials[arm], at] == 0
    )
    answer = wrong.most_common(1)[0][0]
    others = [i for i, arm in enumerate(responses.arms) if arm not in set(good)]
    r = float(analysis.discrimination_Q[at])
    return Suspect(
        id=responses.ids[at],
        image=responses.images[at],
        answer=answer,
        agreeing=tuple(arm for arm, text in zip(good, texts, strict=True) if text == answer),
        n_good=len(good),
        others=float(responses.scores_TQ[others, at].mean()) if others else 0.0,
        discrimination=None if np.isnan(r) else r,
    )
