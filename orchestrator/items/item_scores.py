"""Make of checked items what a study's storage gives: scores by arm, seed and benchmark, ready for effects."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from orchestrator.analysis.intervals import Floats
from orchestrator.analysis.signal import text_priors
from orchestrator.analysis.study_scores import StudyScores
from orchestrator.items.check import ItemCell, Items
from orchestrator.state.ledger import TrialEntry


class ItemScores(StudyScores):
    """Scores of an items table. Nothing says which seeds were planned: those that are there count."""

    def common_seeds(self, arms: Iterable[str], benchmarks: Sequence[str]) -> list[int]:
        """List the seeds with which all of these arms have all of these benchmarks, sorted."""
        return sorted(set.intersection(*(set(self.scores.seeds(arm, benchmarks)) for arm in arms)))


def item_scores(items: Items) -> ItemScores:
    """Turn checked items into scores. What needs predictions or references is only known where the table has them."""
    scored = ItemScores(items.benchmarks)
    for arm in items.arms:
        scored.trials[arm] = []
    constant: dict[tuple[str, str], list[int]] = {}
    for (arm, seed, benchmark), cell in items.cells.items():
        priors = _priors(cell, items.references.get(benchmark))
        images = "clusters" if benchmark in items.clustered else None  # one name is one image, whatever the benchmark
        scored.scores.add(arm, seed, benchmark, replace(cell.examples, priors=priors), images=images)
        scored.asked[arm, seed, benchmark] = "", "items"
        seeds = constant.setdefault((arm, benchmark), [])
        if _is_constant(cell):
            seeds.append(seed)
        if all(entry.seed != seed for entry in scored.trials[arm]):
            scored.trials[arm].append(TrialEntry(f"{arm}, seed {seed}", arm, seed, "done"))
    for (arm, benchmark), seeds in constant.items():
        scored.judge_signal(arm, benchmark, seeds)
    return scored


def _priors(cell: ItemCell, references: Sequence[str | None] | None) -> dict[str, Floats]:
    """Score what needs no image, where every question has a reference."""
    right = [reference for reference in references or () if reference is not None]
    if len(right) != len(cell.examples.ids):
        return {}
    said = [prediction for prediction in cell.predictions or () if prediction is not None]
    return text_priors(said if len(said) == len(right) else None, right, cell.examples.scores)


def _is_constant(cell: ItemCell) -> bool:
    """Tell whether a model gives one answer throughout."""
    predictions = set(cell.predictions or ())
    return len(predictions) == 1 and None not in predictions and len(cell.examples.ids) > 1
