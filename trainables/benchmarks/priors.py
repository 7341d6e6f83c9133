"""Score the answers that need no image: the best constant answer, and the best one to each type of question.

They follow from the references alone, so every model is held against the same ones. Constants are the most frequent
perfect answers; of boxes the median box and the whole image, in every form that a protocol may read.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainables.benchmarks.best_reachable import box_texts
from trainables.benchmarks.contract import Example, Protocol, Row
from trainables.benchmarks.permuted_answers import chance_scores
from trainables.benchmarks.question_types import REST, members_of_types, question_types
from trainables.benchmarks.scorers.summaries import points

BEST_CONSTANT = "best constant answer"
BEST_BY_TYPE = "best per question type"
PRIOR_COLUMN = "prior: "
"""How the names of the columns with scores of a prior begin, in a file of scores per example; the prior's follows."""
CHANCE_COLUMN = "score by chance"
_TRIED = 5
"""Constants of all questions that are tried."""
_TRIED_OF_TYPE = 3
_BEYOND_LUCK = 2.0
"""Standard errors by which the best answer to a type must beat the best constant one to be taken: of many small types
with two equally frequent answers, one of the two is always somewhat better."""
_CHOSEN_ON = 5_000
"""The best constant is chosen on at most so many questions, evenly spread; it is then scored on all."""

Floats = NDArray[np.float64]
_Constant = Callable[[Example], str]
"""Writes a constant answer: the same text to all questions of a kind (`Protocol.kind`)."""


@dataclass(frozen=True, eq=False)
class Priors:
    """Scores, 0 to 1, of each question that counts."""

    scores: Mapping[str, Floats]
    """Prior -> what it gets."""
    by_chance: Floats
    """What the model's answers would get if they had nothing to do with the images (`chance_scores`)."""

    @property
    def points(self) -> dict[str, float]:
        """Mean score of every prior, 0 to 100."""
        return {name: points(scores.tolist()) for name, scores in self.scores.items()}

    @property
    def columns(self) -> dict[str, Floats]:
        """Columns of the file of scores per example."""
        return {
            **{f"{PRIOR_COLUMN}{name}": scores for name, scores in self.scores.items()},
            CHANCE_COLUMN: self.by_chance,
        }


def priors_of(protocol: Protocol, rows: Sequence[Row], best: Sequence[Row]) -> Priors:
    """Score what needs no image on the questions of a benchmark.

    Args:
        protocol: that scored the rows.
        rows: that count.
        best: a best row of each of them (`best_reachable.best_row`).
    """
    types = question_types([row.example for row in rows])
    constant, by_type = _best_answers(protocol, best, types)
    return Priors({BEST_CONSTANT: constant, BEST_BY_TYPE: by_type}, chance_scores(protocol, rows, types))


def _best_answers(protocol: Protocol, best: Sequence[Row], types: Sequence[str]) -> tuple[Floats, Floats]:
    everywhere = list(range(len(best)))
    scorer = _Scorer(protocol, [row.example for row in best])
    constant = scorer.best_of(everywhere, list(_constants(best, _TRIED)))
    if constant is None:
        return np.zeros(len(best)), np.zeros(len(best))
    scores = scorer.scores(everywhere, constant)
    by_type = scores.copy()
    for name, members in members_of_types(types).items():
        if name == REST or len(members) == len(best):
            continue
        tried = list(_constants([best[i] for i in members], _TRIED_OF_TYPE))
        own = scorer.best_of(members, tried)
        if own is not None:
            own_scores = scorer.scores(members, own)
            better = own_scores - scores[members]
            if better.mean() > _BEYOND_LUCK * better.std() / math.sqrt(len(members)):
                by_type[members] = own_scores
    return scores, by_type


def _constants(best: Sequence[Row], most: int) -> Iterator[_Constant]:
    """List the answers that may be the best constant one."""
    boxes = [_share_box(row.example) for row in best if _is_box(row.example)]
    if boxes:
        for box in (np.median(np.array(boxes), axis=0).tolist(), [0.0, 0.0, 1.0, 1.0]):
            for form in range(len(list(box_texts(box, (1, 1))))):
                yield _box_constant(box, form)
        return
    for text, _ in Counter(row.prediction for row in best).most_common(most):
        yield _text_constant(text)


def _text_constant(text: str) -> _Constant:
    return lambda example: text


def _box_constant(box: Sequence[float], form: int) -> _Constant:
    def text(example: Example) -> str:
        size = example.reference["size"]
        return list(box_texts([share * size[n % 2] for n, share in enumerate(box)], size))[form]

    return text


def _is_box(example: Example) -> bool:
    return isinstance(example.reference, dict) and "box" in example.reference


def _share_box(example: Example) -> list[float]:
    size = example.reference["size"]
    return [number / size[n % 2] for n, number in enumerate(example.reference["box"])]


class _Scorer:
    """Scores of constant answers. Each is written and parsed once for each kind of question."""

    def __init__(self, protocol: Protocol, examples: Sequence[Example]):
        self._protocol, self._examples = protocol, examples
        self._kinds = [protocol.kind(example) for example in examples]

    def best_of(self, members: Sequence[int], tried: Sequence[_Constant]) -> _Constant | None:
        """Choose the constant with the highest score on these questions, the first of equals; None if there is none."""
        step = -(-len(members) // _CHOSEN_ON) or 1
        some = members[::step]
        return max(tried, key=lambda constant: self.scores(some, constant).sum(), default=None)

    def scores(self, members: Sequence[int], constant: _Constant) -> Floats:
        """Score a constant on these questions, in their order."""
        first = {self._kinds[i]: self._examples[i] for i in reversed(members)}
        parsed = {kind: self._protocol.parse(constant(example), example) for kind, example in first.items()}
        return np.array([self._protocol.score(parsed[self._kinds[i]], self._examples[i]) for i in members])
