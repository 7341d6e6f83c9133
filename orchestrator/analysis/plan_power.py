"""Predict what a plan can decide before anything runs.

For each hypothesis: the smallest effect, the smallest margin, and how many seeds the effects of interest take.

The spread over seeds is that of earlier results or of the study's noise floor (`ablate noise`), whichever is better
known; else the study's `seed_sd`; else a declared default range. How far arms differ on single questions is what
earlier results of the same arms show; else a default range as well. Numbers of examples and images are those that were
counted on this storage, else those of the catalogue.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np

from orchestrator.analysis.pairs import pair_weights, sum_of_squares
from orchestrator.analysis.plan_assumptions import DISCORDANT, IMAGE_CORRELATION, Assumptions, image_variance
from orchestrator.analysis.plan_knowledge import Knowledge, Size, declared_size
from orchestrator.analysis.power import (
    DEFAULT_SEED_SD,
    POWER,
    SCALE,
    Design,
    fewest_seeds,
    power,
    smallest_effect,
    smallest_margin,
)
from orchestrator.analysis.rule import Statement
from orchestrator.analysis.seed_spread import Pool, score_scale
from search_spaces.catalogue.load import shipped
from search_spaces.claims import select_benchmarks
from search_spaces.plan import Plan
from search_spaces.quantities import number_of
from search_spaces.spec import BenchmarkSpec
from search_spaces.study import Expectation, Hypothesis, Study

EFFECTS_OF_INTEREST = (1.0, 2.0, 5.0)
"""In points, where the hypothesis has no margin."""

MARGIN_TESTS: Mapping[Expectation, Literal["equivalent", "not-worse"]] = {
    "better": "equivalent",
    "worse": "equivalent",
    "equivalent": "equivalent",
    "not-worse": "not-worse",
}
"""The test whose smallest margin is shown, by what is expected."""

Range = tuple[float, float]
"""From calm to restless assumptions."""


@dataclass(frozen=True)
class SeedsNeeded:
    """Seeds of every arm that decide an effect of interest, or show its absence, with 80 % power."""

    statement: Statement
    points: float
    """The effect; of `equivalent` and `not-worse` the margin."""
    seeds: tuple[int | None, int | None]
    """From calm to restless assumptions; None: more than 100."""


@dataclass(frozen=True)
class HypothesisPower:
    """Smallest values that are decided with 80 % power: a range from calm to restless assumptions."""

    id: str
    expect: Expectation
    n_seeds: int
    """That all of its arms have."""
    n_examples: int | None
    """None where a benchmark's examples are not counted: then there is nothing to reckon with."""
    smallest_effect: Range | None
    """In points, at most those of the scale: an end of 100 stands for nothing that these seeds can show."""
    smallest_margin: Range | None
    """In points, for the test of equivalence, or of not being worse where that is expected; None with single
    checkpoints, which never show either."""
    assumptions: tuple[str, ...]
    needed: tuple[SeedsNeeded, ...] = ()
    """For the margin of the hypothesis, else for `EFFECTS_OF_INTEREST`."""
    is_too_small: bool = False
    """Whether the largest effect of interest, or the margin, may be out of reach of these seeds."""

    def as_json(self) -> dict[str, Any]:
        """Turn it into the values that `plan --json` prints, in points with three decimals."""
        return {
            "id": self.id,
            "power": POWER,
            "n_seeds": self.n_seeds,
            "n_examples": self.n_examples,
            "smallest_effect": _range_json(self.smallest_effect),
            "smallest_margin": _range_json(self.smallest_margin),
            "is_too_small": self.is_too_small,
            "seeds_needed": [
                {"statement": needed.statement, "points": needed.points, "seeds": list(needed.seeds)}
                for needed in self.needed
            ],
            "assumptions": list(self.assumptions),
        }


def plan_power(study: Study, plan: Plan, known: Knowledge | None = None) -> tuple[HypothesisPower, ...]:
    """Compute what every hypothesis of a plan can decide, in file order.

    Args:
        study: whose hypotheses they are.
        plan: of the study.
        known: what storage knows of it.
    """
    suites = {**shipped().suites, **study.suites}
    benchmarks = {benchmark.id: benchmark for benchmark in plan.benchmarks}
    return tuple(
        _hypothesis_power(
            hypothesis,
            [benchmarks[name] for name in select_benchmarks(hypothesis.on, tuple(benchmarks), suites)],
            study,
            plan,
            known or Knowledge(),
        )
        for hypothesis in study.hypotheses
    )


def _range_json(values: Range | None) -> list[float] | None:
    return None if values is None else [round(value, 3) for value in values]


def _hypothesis_power(
    hypothesis: Hypothesis, benchmarks: Sequence[BenchmarkSpec], study: Study, plan: Plan, known: Knowledge
) -> HypothesisPower:
    weights = pair_weights(hypothesis.pairs)
    n_seeds = len(plan.common_seeds(weights))
    sizes = {benchmark.id: known.sizes.get(benchmark.id) or declared_size(benchmark) for benchmark in benchmarks}
    counted = [size for size in sizes.values() if size is not None]
    n_examples = sum(size.n for size in counted) if len(counted) == len(sizes) else None
    if n_examples is None or not n_seeds:
        uncounted = [name for name, size in sizes.items() if size is None]
        reason = f"examples of {', '.join(uncounted)} are not counted yet" if n_seeds else "its arms share no seed"
        return HypothesisPower(hypothesis.id, hypothesis.expect, n_seeds, n_examples, None, None, (reason,))
    spread, words = _seed_sd(weights, {name: size.n for name, size in sizes.items() if size is not None}, study, known)
    square_weights = sum_of_squares(weights)
    by_images, image_words = _images(weights, sizes, counted, known)
    calm, restless = (
        Assumptions(
            sd=sd,
            image_variance=2 * variance / square_weights,
            square_weights=square_weights,
            n_arms=len(plan.seeds_by_arm()),
            n_hypotheses=len(study.hypotheses),
            is_seed_sd_assumed=study.seed_sd is not None,
            looks=hypothesis.looks,
            spending=hypothesis.spending,
        )
        for sd, variance in zip(spread, by_images, strict=True)
    )
    test = MARGIN_TESTS[hypothesis.expect]
    designs = (calm.design(n_seeds), restless.design(n_seeds))
    margins = [margin for design in designs if (margin := smallest_margin(design, test)) is not None]
    needed = seeds_needed(hypothesis, calm, restless)
    largest = needed[-1]
    return HypothesisPower(
        id=hypothesis.id,
        expect=hypothesis.expect,
        n_seeds=n_seeds,
        n_examples=n_examples,
        smallest_effect=capped_range(*map(smallest_effect, designs)),
        smallest_margin=capped_range(*margins) if margins else None,
        assumptions=(words, *image_words),
        needed=needed,
        is_too_small=any(seeds is None or seeds > n_seeds for seeds in largest.seeds),
    )


def capped_range(*values: float) -> Range:
    """Span values in points, none of them beyond the scale.

    With few seeds the calm assumptions may give the larger value: where less is due to images, more of the error is due
    to seeds, and that part is known with one or two degrees of freedom only.
    """
    return min(*values, SCALE), min(max(values), SCALE)


def seeds_needed(hypothesis: Hypothesis, calm: Assumptions, restless: Assumptions) -> tuple[SeedsNeeded, ...]:
    """Find how many seeds decide the margin of a hypothesis, else the effects of interest.

    Args:
        hypothesis: of a plan.
        calm: the least that is assumed of spread and images.
        restless: the most.
    """
    if hypothesis.margin is not None and hypothesis.expect in ("equivalent", "not-worse"):
        tests: list[tuple[Statement, float]] = [(MARGIN_TESTS[hypothesis.expect], hypothesis.margin)]
    else:
        effects = (hypothesis.margin,) if hypothesis.margin is not None else EFFECTS_OF_INTEREST
        tests = [("differs", effect) for effect in effects]
    needed = []
    for test, points in tests:
        seeds = _seeds_for(test, points, calm), _seeds_for(test, points, restless)
        needed.append(SeedsNeeded(test, points, (min(seeds, key=_or_more), max(seeds, key=_or_more))))
    return tuple(needed)


def _or_more(seeds: int | None) -> float:
    """Count seeds, where None stands for more than any number."""
    return math.inf if seeds is None else seeds


@lru_cache(maxsize=4096)
def _seeds_for(statement: Statement, points: float, assumed: Assumptions) -> int | None:
    """Find the fewest seeds that show a difference of so many points, or its absence within them."""

    def decides(design: Design) -> bool:
        effect, margin = (points, None) if statement == "differs" else (0.0, points)
        return power(statement, effect, design, margin) >= POWER

    return fewest_seeds(assumed.design, decides)


def _seed_sd(
    weights: Mapping[str, float], sizes: Mapping[str, int], study: Study, known: Knowledge
) -> tuple[Range, str]:
    """Choose the standard deviation over seeds of an arm's mean, calm and restless, in points, and name its source.

    Args:
        weights: of the arms of the hypothesis.
        sizes: benchmark -> its examples.
        study: which may declare a spread.
        known: what storage knows of the plan.
    """
    pool, floor = _pool(sizes, known), known.floor
    if floor is not None and all(name in floor.benchmarks for name in sizes):
        df = len(floor.seeds) - 1
        sd = floor_sd(floor.benchmarks[name].points for name in sizes) if df > 0 else 0.0
        if sd > 0 and df >= pool.df_residual:
            return (sd, sd), f"seed sd {sd:.2g} points, the noise floor of {number_of(df + 1, 'seed')} of the base"
    part = pool.of_effect(1, weights)
    if part is not None and part.variance > 0:
        sd = math.sqrt(part.variance / sum_of_squares(weights))
        freedom = f"{number_of(pool.df_residual, 'degree')} of freedom"
        return (sd, sd), f"seed sd {sd:.2g} points, seen in earlier results ({freedom})"
    if study.seed_sd is not None:
        return (study.seed_sd, study.seed_sd), f"seed sd {study.seed_sd:g} points, declared in the study"
    low, high = DEFAULT_SEED_SD
    return DEFAULT_SEED_SD, f"seed sd {low:g} to {high:g} points, a default (`ablate noise` measures it)"


def _pool(sizes: Mapping[str, int], known: Knowledge) -> Pool:
    """Pool the spread over seeds of earlier results, in units of each arm's p (1 - p), as verdicts do."""
    rows = {trial: row for trial, row in known.accuracies.items() if all(name in row for name in sizes)}
    scales = {}
    for arm in {arm for arm, _ in rows}:
        of_arm = [row for (name, _), row in rows.items() if name == arm]
        shares = [score_scale(sum(row[name] for row in of_arm) / len(of_arm), n) for name, n in sizes.items()]
        scales[arm] = sum(shares) / len(shares)
    return Pool.of({trial: sum(row[name] for name in sizes) / len(sizes) for trial, row in rows.items()}, scales)


def floor_sd(points_of_benchmarks: Iterable[Sequence[float]]) -> float:
    """Compute the standard deviation over seeds of the mean over benchmarks, in points."""
    means = np.mean([list(points) for points in points_of_benchmarks], axis=0)
    return float(np.std(means, ddof=1))


def _images(
    weights: Mapping[str, float], sizes: Iterable[str], counted: Sequence[Size], known: Knowledge
) -> tuple[Range, tuple[str, ...]]:
    """Choose the variance of the effect by the choice of images, calm and restless, and name its source.

    Args:
        weights: of the arms of the hypothesis.
        sizes: its benchmarks.
        counted: their sizes.
        known: what storage knows of the plan.
    """
    seen = known.seen(weights, tuple(sizes))
    if seen is not None:
        variance, seeds = seen.interval.image_part, number_of(len(seen.seeds), "seed")
        words = f"error by images {math.sqrt(variance):.2g} points, seen in earlier results ({seeds})"
        return (variance, variance), (words,)
    halves = sum_of_squares(weights) / 2
    low, high = (halves * image_variance(counted, share) for share in DISCORDANT)
    return (low, high), _image_words(counted)


def _image_words(sizes: Sequence[tuple[int, int | None]]) -> tuple[str, str]:
    n = sum(size for size, _ in sizes)
    low, high = DISCORDANT
    uncounted = any(images is None for _, images in sizes)
    clusters = "one question to an image where images are not counted" if uncounted else "images as counted"
    return (
        f"{n:,} examples; arms differ on {100 * low:g} to {100 * high:g} % of them, a default",
        f"correlation {IMAGE_CORRELATION:g} among questions about one image, {clusters}",
    )
