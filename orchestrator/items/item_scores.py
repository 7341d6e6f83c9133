"""Make of checked items what a study's storage gives: scores by arm, seed and benchmark, ready for effects."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from orchestrator.analysis.examples import NO_SIGNAL_POINTS
from orchestrator.analysis.study_scores import StudyScores
from orchestrator.items.check import ItemCell, Items
from orchestrator.state.ledger import TrialEntry


class ItemScores(StudyScores):
    """Scores of an items table. Nothing says which seeds were planned: those that are there count."""

    def common_seeds(self, arms: Iterable[str], benchmarks: Sequence[str]) -> list[int]:
        """List the seeds with which all of these arms have all of these benchmarks, sorted."""
        return sorted(set.intersection(*(set(self.scores.seeds(arm, benchmarks)) for arm in arms)))

    def mean(self, arm: str, benchmark: str, seeds: Sequence[int]) -> float:
        """Average an arm's score on a benchmark over seeds that have it, in points."""
        cells = [self.scores.cell(arm, seed, benchmark) for seed in seeds]
        return sum(cell.mean for cell in cells if cell is not None) / len(seeds)


def item_scores(items: Items) -> ItemScores:
    """Turn checked items into scores. What needs predictions or references is only known where the table has them."""
    scored = ItemScores(items.benchmarks)
    for arm in items.arms:
        scored.trials[arm] = []
    majorities = {benchmark: _majority(references) for benchmark, references in items.references.items()}
    for (arm, seed, benchmark), cell in items.cells.items():
        silent = _is_silent(cell, majorities.get(benchmark))
        images = "clusters" if benchmark in items.clustered else None  # one name is one image, whatever the benchmark
        scored.scores.add(arm, seed, benchmark, cell.examples, images=images, has_signal=not silent)
        scored.asked[arm, seed, benchmark] = "", "items"
        if silent:
            scored.no_signal[arm, benchmark] = (*scored.no_signal.get((arm, benchmark), ()), seed)
        if all(entry.seed != seed for entry in scored.trials[arm]):
            scored.trials[arm].append(TrialEntry(f"{arm}, seed {seed}", arm, seed, "done"))
    return scored


def _majority(references: Sequence[str | None]) -> float | None:
    """Compute the share of the most frequent reference: what the best constant answer scores where answers are right or
    wrong as a whole; None where a question has no reference."""
    if None in references:
        return None
    return Counter(references).most_common(1)[0][1] / len(references)


def _is_silent(cell: ItemCell, majority: float | None) -> bool:
    """Tell whether a model gives one answer throughout, or scores like the best constant answer."""
    predictions = set(cell.predictions or ())
    if len(predictions) == 1 and None not in predictions and len(cell.examples.ids) > 1:
        return True
    if majority is None:
        return False
    return 100 * abs(float(cell.examples.scores.mean()) - majority) <= NO_SIGNAL_POINTS
