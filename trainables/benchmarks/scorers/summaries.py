"""Summarise rows: means over all and over groups, and the metrics of yes/no decisions."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from trainables.benchmarks.contract import Row, Summary

NO_EXAMPLES = "there is no example to score: the accuracy is given as 0"


def points(scores: Sequence[float]) -> float:
    """Average scores in points, summed from left to right as the authors' programs do; 0 without scores."""
    return 100 * float(sum(scores)) / len(scores) if scores else 0.0


def accuracy(rows: Sequence[Row]) -> Summary:
    return Summary({"accuracy": points([row.score for row in rows])}, () if rows else (NO_EXAMPLES,))


def accuracy_by(*kinds: str) -> Callable[[Sequence[Row]], Summary]:
    """Make a summary of the accuracy over all, and over each group of some kinds: `accuracy/number`."""

    def summarise(rows: Sequence[Row]) -> Summary:
        whole = accuracy(rows)
        whole.metrics.update(group_accuracies(rows, kinds))
        return whole

    return summarise


def group_accuracies(rows: Sequence[Row], kinds: Iterable[str]) -> dict[str, float]:
    """Compute `accuracy/<group>` for each group of some kinds."""
    return {
        f"accuracy/{group}": points([row.score for row in members])
        for kind in kinds
        for group, members in grouped(rows, kind).items()
    }


def grouped(rows: Iterable[Row], kind: str) -> dict[str, list[Row]]:
    """Split rows by their group of one kind, groups sorted; rows without one are left out."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        if kind in row.example.groups:
            groups.setdefault(row.example.groups[kind], []).append(row)
    return dict(sorted(groups.items()))


@dataclass(frozen=True)
class Decisions:
    """Confusion counts of yes/no decisions, yes being the positive class."""

    true_yes: int
    false_yes: int
    true_no: int
    false_no: int

    @classmethod
    def count(cls, predicted: Iterable[bool], truth: Iterable[bool]) -> Decisions:
        pairs = list(zip(predicted, truth, strict=True))
        return cls(
            sum(answer and right for answer, right in pairs),
            sum(answer and not right for answer, right in pairs),
            sum(not answer and not right for answer, right in pairs),
            sum(not answer and right for answer, right in pairs),
        )

    @property
    def accuracy(self) -> float:
        total = self.true_yes + self.false_yes + self.true_no + self.false_no
        return _ratio(self.true_yes + self.true_no, total)

    @property
    def precision(self) -> float:
        return _ratio(self.true_yes, self.true_yes + self.false_yes)

    @property
    def recall(self) -> float:
        return _ratio(self.true_yes, self.true_yes + self.false_no)

    @property
    def f1(self) -> float:
        precision, recall = self.precision, self.recall
        return _ratio(2 * precision * recall, precision + recall)

    @property
    def yes_ratio(self) -> float:
        predicted_yes = self.true_yes + self.false_yes
        return _ratio(predicted_yes, predicted_yes + self.true_no + self.false_no)

    def undefined(self) -> list[str]:
        """Name the metrics that have no denominator and are given as 0."""
        names = []
        if not self.true_yes + self.false_yes:
            names.append("precision (nothing was answered with yes)")
        if not self.true_yes + self.false_no:
            names.append("recall (no reference is yes)")
        if not self.true_yes:
            names.append("F1 (no yes was right)")
        return names


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


def average_precision(is_positive: Sequence[bool], scores: Sequence[float]) -> float | None:
    """Compute the area under the precision-recall curve as a step function; None without positives.

    The sum over distinct thresholds of the gain in recall times the precision there, as scikit-learn defines it.
    """
    truth, values = np.asarray(is_positive, bool), np.asarray(scores, float)
    if not truth.any():
        return None
    order = np.argsort(-values, kind="stable")
    last_of_equals = np.append(values[order][1:] != values[order][:-1], True)
    positives = np.cumsum(truth[order])[last_of_equals]
    seen = np.arange(1, len(values) + 1)[last_of_equals]
    return float(np.sum(np.diff(positives / positives[-1], prepend=0.0) * (positives / seen)))


def roc_auc(is_positive: Sequence[bool], scores: Sequence[float]) -> float | None:
    """Compute the share of (positive, negative) pairs with the larger score at the positive; ties count half.

    None where there is only one class.
    """
    truth, values = np.asarray(is_positive, bool), np.asarray(scores, float)
    positives, negatives = int(truth.sum()), int((~truth).sum())
    if not positives or not negatives:
        return None
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks = np.cumsum(counts) - (counts - 1) / 2
    return float((ranks[inverse][truth].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def margins(rows: Sequence[Row], positive: str, negative: str) -> list[float] | None:
    """Compute how much likelier the positive option was, for each row; None unless every row was ranked.

    The difference orders probabilities of two options as their renormalised share does, and log-likelihoods as well.

    Args:
        rows: scored examples.
        positive: name of one option.
        negative: name of the other option.
    """
    differences = []
    for row in rows:
        scores: Mapping[str, float] = row.likelihoods or {}
        if positive not in scores or negative not in scores:
            return None
        difference = scores[positive] - scores[negative]
        differences.append(0.0 if math.isnan(difference) else difference)
    return differences
