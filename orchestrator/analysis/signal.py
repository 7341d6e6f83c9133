"""Judge whether a model shows a signal: whether its answers are better than what needs no image.

An arm shows a signal on a benchmark if it scores higher than every prior (the best constant answer, the best one to
each type of question, its own answers to a blank image where it was asked so) and higher than its own answers do when
they are exchanged among questions of one type. Each is a one-sided test at 5 % of the difference to it, paired by
example, and all must hold, so that a model without a signal passes in at most 5 % of cases.

What varies is the images: an arm's score is the mean over its seeds, and a blind model is no better than its priors
with any seed, so that the spread over seeds is no doubt about it. The error is that of every interval (`image_spread`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from orchestrator.analysis.examples import Cell, Frame
from orchestrator.analysis.image_spread import ImageUnion, image_variance
from orchestrator.analysis.intervals import Floats, Interval, Spread
from orchestrator.analysis.rule import ALPHA
from trainables.benchmarks.priors import BEST_CONSTANT, CHANCE_COLUMN

CHANCE = CHANCE_COLUMN
"""Stands among the priors for the answers of the model itself, exchanged among questions."""
BLANK = "own answers to a blank image"
"""Stands among the priors for the same model without its images, where it was asked so."""
OF_THE_ARM = frozenset({CHANCE, BLANK})
"""What is not the same for all arms, and no line of a table."""
_ROUNDED = 9
"""Decimals of a point: what is smaller is the rounding of scores that are equal."""
_SCORED_OTHERWISE = 0.05
"""Share of answers whose score is not whether they equal the reference, from which on another rule has scored them."""


@dataclass(frozen=True)
class Signal:
    """What an arm shows on a benchmark against what needs no image."""

    points: float
    """Mean score of the arm over its seeds."""
    priors: Mapping[str, float]
    """Prior -> its score in points; under `CHANCE` that of the arm's exchanged answers."""
    p: Mapping[str, float]
    """Prior -> one-sided p of the arm scoring no higher."""

    @property
    def is_shown(self) -> bool:
        return all(p <= ALPHA for p in self.p.values())

    @property
    def best_prior(self) -> tuple[str, float]:
        """What needs no image, is the same for all arms and scores highest, and that score in points."""
        shared = {name: points for name, points in self.priors.items() if name not in OF_THE_ARM}
        return max((shared or self.priors).items(), key=lambda item: item[1])


def signal_of(cells: Sequence[Cell]) -> Signal | None:
    """Judge the signal of an arm on a benchmark; None where its seeds know no priors, or not of the same examples.

    Args:
        cells: of all seeds.
    """
    if not cells:
        return None
    first = cells[0]
    names = [name for name in first.above if all(name in cell.above for cell in cells)]
    if not names or any(cell.frame is not first.frame for cell in cells):
        return None
    points = sum(cell.mean for cell in cells) / len(cells)
    priors, p = {}, {}
    for name in names:
        above = np.mean([cell.above[name] for cell in cells], axis=0)
        priors[name] = points - float(above.sum()) / first.frame.n
        p[name] = p_not_above(above, first.frame)
    return Signal(points, priors, p)


def p_not_above(above: Floats, frame: Frame) -> float:
    """Compute the one-sided p of a mean difference being at most 0, with the spread over images of every interval.

    Args:
        above: sum of the differences on each image, in points.
        frame: of the benchmark.
    """
    if len(frame.clusters) < 2:
        return 1.0
    above_SC = np.round(above, _ROUNDED)[None]
    mean = float(above_SC.sum()) / frame.n
    images = image_variance([above_SC], np.array([[mean]]), (frame,), _union(frame), is_difference=True)
    return Interval(mean, (Spread((images.part,)),)).p_above(0)


@lru_cache(maxsize=64)
def _union(frame: Frame) -> ImageUnion:
    return ImageUnion.of((frame,))


def text_priors(predictions: Sequence[str] | None, references: Sequence[str], scores: Floats) -> dict[str, Floats]:
    """Score the best constant answer and exchanged answers, where an answer is right if it is the reference's text.

    Texts are equal whatever their case, their white space, and one full stop at the end. The types of the questions are
    not known: all are one.

    Args:
        predictions: the answers; None where they are not known. Then there is the best constant answer alone.
        references: the right ones.
        scores: of the answers, 0 to 1.

    Returns:
        Prior -> score of every example; empty where the scores follow another rule than equal texts.
    """
    right = list(map(plain_answer, references))
    times_right = Counter(right)
    most = times_right.most_common(1)[0][0]
    constant = {BEST_CONSTANT: np.array([reference == most for reference in right], np.float64)}
    if predictions is None:
        return constant if np.isin(scores, (0.0, 1.0)).all() else {}
    said = list(map(plain_answer, predictions))
    equal = np.array([answer == reference for answer, reference in zip(said, right, strict=True)], np.float64)
    if np.mean(np.abs(equal - scores) > 0.01) > _SCORED_OTHERWISE:
        return {}
    times_said = Counter(said)
    by_question = np.array([times_said[reference] for reference in right]) / len(right)
    by_answer = np.array([times_right[answer] for answer in said]) / len(right)
    return {**constant, CHANCE: by_question + by_answer - by_question.mean()}


def plain_answer(text: str) -> str:
    """Write an answer without case, superfluous white space and a full stop at its end."""
    return " ".join(text.casefold().split()).removesuffix(".")
