"""What a plan can decide, before anything runs: for each hypothesis, the smallest effect and the smallest margin.

Where storage holds earlier results of the study's arms, their spread over seeds is used; else the study's `seed_sd`;
else a declared default range. How far arms differ on single questions is not known beforehand: a default range as well.
Numbers of examples and images are those of the catalogue.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from orchestrator.analysis.intervals import Pool
from orchestrator.analysis.pairs import pair_weights
from orchestrator.analysis.power import DEFAULT_SEED_SD, POWER, Design, smallest_effect, smallest_margin
from orchestrator.state.ledger import Ledger
from search_spaces.catalogue.load import shipped
from search_spaces.claims import select_benchmarks
from search_spaces.plan import Plan
from search_spaces.spec import BenchmarkSpec
from search_spaces.study import Expectation, Hypothesis, Study

DISCORDANT = (0.05, 0.20)
"""Share of questions that two arms answer with different success, where nothing is known: a range."""
IMAGE_CORRELATION = 0.1
"""Of the differences on questions about one image, where nothing is known."""

MARGIN_TESTS: Mapping[Expectation, Literal["equivalent", "not-worse"]] = {
    "better": "equivalent",
    "worse": "equivalent",
    "equivalent": "equivalent",
    "not-worse": "not-worse",
}
"""The test whose smallest margin is shown, by what is expected."""

Accuracies = Mapping[tuple[str, int], Mapping[str, float]]
"""(arm, seed) -> benchmark -> accuracy in points, of trials that are done."""


@dataclass(frozen=True)
class HypothesisPower:
    """Smallest values that are decided with 80 % power: a range from calm to restless assumptions."""

    id: str
    expect: Expectation
    n_seeds: int
    """That all of its arms have."""
    n_examples: int | None
    """None where a benchmark's examples are not counted: then there is nothing to reckon with."""
    smallest_effect: tuple[float, float] | None
    """In points."""
    smallest_margin: tuple[float, float] | None
    """In points, for the test of equivalence, or of not being worse where that is expected; None with single
    checkpoints, which never show either."""
    assumptions: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Turn it into the values that `plan --json` prints, in points with three decimals."""
        return {
            "id": self.id,
            "power": POWER,
            "n_seeds": self.n_seeds,
            "n_examples": self.n_examples,
            "smallest_effect": _range_json(self.smallest_effect),
            "smallest_margin": _range_json(self.smallest_margin),
            "assumptions": list(self.assumptions),
        }


def plan_power(study: Study, plan: Plan, earlier: Accuracies | None = None) -> tuple[HypothesisPower, ...]:
    """Compute what every hypothesis of a plan can decide, in file order.

    Args:
        plan: of the study.
        earlier: accuracies of the plan's trials that are done already.
    """
    suites = {**shipped().suites, **study.suites}
    benchmarks = {benchmark.id: benchmark for benchmark in plan.benchmarks}
    return tuple(
        _of(
            hypothesis,
            [benchmarks[name] for name in select_benchmarks(hypothesis.on, tuple(benchmarks), suites)],
            study,
            plan,
            earlier,
        )
        for hypothesis in study.hypotheses
    )


def earlier_accuracies(plan: Plan, ledger: Ledger) -> dict[tuple[str, int], dict[str, float]]:
    """Collect the accuracies of finished trials, for the spread over seeds that more of them will show."""
    accuracies: dict[tuple[str, int], dict[str, float]] = {}
    for trial in plan.trials:
        for benchmark in plan.benchmarks:
            evaluation = ledger.evaluations.get((trial.id, benchmark.id))
            accuracy = evaluation.metrics.get("accuracy") if evaluation is not None else None
            if accuracy is not None and not ledger.trials[trial.id].is_diverged:
                accuracies.setdefault((trial.arm, trial.seed), {})[benchmark.id] = accuracy
    return accuracies


def _range_json(values: tuple[float, float] | None) -> list[float] | None:
    return None if values is None else [round(value, 3) for value in values]


def _of(
    hypothesis: Hypothesis,
    benchmarks: Sequence[BenchmarkSpec],
    study: Study,
    plan: Plan,
    earlier: Accuracies | None,
) -> HypothesisPower:
    weights = pair_weights(hypothesis.pairs)
    n_seeds = len(plan.common_seeds(weights))
    sizes = [_size(benchmark) for benchmark in benchmarks]
    known = [size for size in sizes if size is not None]
    n_examples = sum(n for n, _ in known) if len(known) == len(sizes) else None
    if n_examples is None or not n_seeds:
        uncounted = [benchmark.id for benchmark, size in zip(benchmarks, sizes, strict=True) if size is None]
        reason = f"examples of {', '.join(uncounted)} are not counted yet" if n_seeds else "its arms share no seed"
        return HypothesisPower(hypothesis.id, hypothesis.expect, n_seeds, n_examples, None, None, (reason,))
    spread, words = _seed_sd([benchmark.id for benchmark in benchmarks], study, earlier)
    scale = sum(weight**2 for weight in weights.values())
    n_arms = sum(len(seeds) > 1 for seeds in plan.seeds_by_arm().values())
    designs = [
        Design(
            n_seeds=n_seeds,
            df_pooled=max(n_arms - 1, 1) * (n_seeds - 1),
            seed_variance=scale * sd**2,
            image_variance=scale / 2 * sum(_error(n, images, share) ** 2 for n, images in known) / len(known) ** 2,
            n_hypotheses=len(study.hypotheses),
            is_seed_sd_assumed=study.seed_sd is not None,
        )
        for sd, share in zip(spread, DISCORDANT, strict=True)
    ]
    margins = [smallest_margin(design, MARGIN_TESTS[hypothesis.expect]) for design in designs]
    return HypothesisPower(
        id=hypothesis.id,
        expect=hypothesis.expect,
        n_seeds=n_seeds,
        n_examples=n_examples,
        smallest_effect=(smallest_effect(designs[0]), smallest_effect(designs[1])),
        smallest_margin=(margins[0], margins[1]) if margins[0] is not None and margins[1] is not None else None,
        assumptions=(words, *_image_words(known)),
    )


def _seed_sd(benchmarks: Sequence[str], study: Study, earlier: Accuracies | None) -> tuple[tuple[float, float], str]:
    """Choose the standard deviation over seeds of an arm's mean, calm and restless, in points, and name its source."""
    means = {
        trial: sum(row[name] for name in benchmarks) / len(benchmarks)
        for trial, row in (earlier or {}).items()
        if all(name in row for name in benchmarks)
    }
    pool = Pool.of(means)
    if pool.df_residual >= 1 and pool.residual > 0:
        sd = math.sqrt(pool.residual / pool.df_residual)
        return (sd, sd), f"seed sd {sd:.2g} points, seen in earlier results ({pool.df_residual} degrees of freedom)"
    if study.seed_sd is not None:
        return (study.seed_sd, study.seed_sd), f"seed sd {study.seed_sd:g} points, declared in the study"
    low, high = DEFAULT_SEED_SD
    return DEFAULT_SEED_SD, f"seed sd {low:g} to {high:g} points, a default"


def _size(benchmark: BenchmarkSpec) -> tuple[int, int | None] | None:
    """Count examples and images of a benchmark, as far as the catalogue knows them."""
    source = benchmark.source
    n = source.records if benchmark.select is None else source.tags.get(benchmark.select)
    if n is None:
        return None
    if benchmark.sample is not None:
        n = min(n, benchmark.sample)
    return n, source.images


def _error(n: int, images: int | None, discordant: float) -> float:
    """Compute the standard error in points of the difference of two arms on one benchmark, by its examples.

    sd of a difference of 0/1 scores is the root of the share that differs; questions about one image count less:
    design effect 1 + (m - 1) x correlation, m questions to an image.
    """
    per_image = max(n / images, 1.0) if images else 1.0
    return 100 * math.sqrt(discordant * (1 + (per_image - 1) * IMAGE_CORRELATION) / n)


def _image_words(sizes: Sequence[tuple[int, int | None]]) -> tuple[str, str]:
    n = sum(size for size, _ in sizes)
    low, high = DISCORDANT
    uncounted = any(images is None for _, images in sizes)
    clusters = "one question to an image where images are not counted" if uncounted else "images as counted"
    return (
        f"{n:,} examples; arms differ on {100 * low:g} to {100 * high:g} % of them, a default",
        f"correlation {IMAGE_CORRELATION:g} among questions about one image, {clusters}",
    )
