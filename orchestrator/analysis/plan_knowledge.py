"""Collect what storage knows of a study before it runs: scores of finished trials, noise floor, sizes of benchmarks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from orchestrator.analysis.effects import Estimate
from orchestrator.analysis.study_scores import StudyScores
from orchestrator.state.ledger import Ledger
from orchestrator.state.noise_floor import NoiseFloor, read_floor
from search_spaces.errors import InputError
from search_spaces.identity import source_name
from search_spaces.plan import Plan
from search_spaces.spec import BenchmarkSpec
from search_spaces.steps import RealisedCounts
from trainables.storage.store import Store

Accuracies = Mapping[tuple[str, int], Mapping[str, float]]
"""(arm, seed) -> benchmark -> score in points, of trials that are done."""


class Size(NamedTuple):
    """Examples and images of a benchmark."""

    n: int
    images: int | None
    """None where they are not counted."""


@dataclass(frozen=True)
class Knowledge:
    """What storage knows of a plan."""

    accuracies: Accuracies = field(default_factory=dict)
    sizes: Mapping[str, Size] = field(default_factory=dict)
    """Benchmark -> its size, as a run or `data check` has counted it."""
    floor: NoiseFloor | None = None
    scored: StudyScores | None = None
    """Scores per example of finished trials; None: they were not read."""

    def seen(self, weights: Mapping[str, float], benchmarks: Sequence[str]) -> Estimate | None:
        """Estimate a weighted sum of arms from the trials that are done.

        Args:
            weights: arm -> weight.
            benchmarks: over whose unweighted mean.

        Returns:
            None where the arms share no seed that has all benchmarks, or were scored on different examples.
        """
        if self.scored is None:
            return None
        scores = self.scored.scores
        if not set.intersection(*(set(scores.seeds(arm, benchmarks)) for arm in weights)):
            return None
        try:
            return scores.effect(weights, benchmarks).estimate
        except InputError:  # different examples, or one image alone: `verdicts` refuses these and says why
            return None


def what_is_known(
    plan: Plan, store: Store, ledger: Ledger, counts: RealisedCounts, scored: StudyScores | None = None
) -> Knowledge:
    """Collect what storage knows of a plan.

    Args:
        plan: of the study.
        store: where its results are.
        ledger: what storage holds of the plan.
        counts: of the data that were read on this storage (`preflight.known_digests`).
        scored: scores per example of the plan's finished trials, as far as they are of use.
    """
    floor = read_floor(store, plan)
    n_scored = {name: evaluation.n for (_, name), evaluation in ledger.evaluations.items()}
    sizes: dict[str, Size] = {}
    for benchmark in plan.benchmarks:
        name = benchmark.id
        counted = counts.get(source_name(benchmark.source))
        size = None if counted is None else _size(benchmark, counted["records"], counted["tags"], counted["images"])
        if floor is not None and name in floor.benchmarks:
            size = Size(floor.benchmarks[name].n_examples, floor.benchmarks[name].n_images)
        elif name in n_scored:
            size = Size(n_scored[name], size.images if size is not None else benchmark.source.images)
        if size is not None:
            sizes[name] = size
    return Knowledge(_accuracies(plan, ledger), sizes, floor, scored)


def declared_size(benchmark: BenchmarkSpec) -> Size | None:
    """Return the size of a benchmark as the catalogue or the study declares it; None where it does not."""
    source = benchmark.source
    return _size(benchmark, source.records, source.tags, source.images)


def _size(benchmark: BenchmarkSpec, records: int | None, tags: Mapping[str, int], images: int | None) -> Size | None:
    if benchmark.only is not None:
        chosen = len(benchmark.only.ids)
        return Size(chosen, None if images is None else min(chosen, images))
    n = records if benchmark.select is None else tags.get(benchmark.select)
    return None if n is None else Size(benchmark.size_of(n), images)


def _accuracies(plan: Plan, ledger: Ledger) -> dict[tuple[str, int], dict[str, float]]:
    """Collect the scores of finished trials, for the spread over seeds that more of them will show."""
    accuracies: dict[tuple[str, int], dict[str, float]] = {}
    for trial in plan.trials:
        for benchmark in plan.benchmarks:
            evaluation = ledger.evaluations.get((trial.id, benchmark.id))
            accuracy = evaluation.metrics.get("accuracy") if evaluation is not None else None
            if accuracy is not None and not ledger.trials[trial.id].is_diverged:
                accuracies.setdefault((trial.arm, trial.seed), {})[benchmark.id] = accuracy
    return accuracies
