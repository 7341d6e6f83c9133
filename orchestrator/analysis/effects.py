"""Estimates of means and effects of arms from sums per image, with their intervals.

An effect is one weighted sum of arms: one that stands in several pairs, as the base does, counts as the one arm it is.
`intervals` has the model, `seed_spread` and `image_spread` the parts of the variance.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from orchestrator.analysis.examples import Frame
from orchestrator.analysis.image_spread import ImageUnion, ImageVariance, image_variance
from orchestrator.analysis.intervals import CrossedInterval, Floats, Part, SeedSource, Spread
from orchestrator.analysis.pairs import sum_of_squares
from orchestrator.analysis.seed_spread import BOUND, Pool, bound_share
from orchestrator.analysis.verdict_model import Scope


@dataclass(frozen=True)
class Estimate:
    """The mean of an arm, or a difference of two, over the unweighted mean of its benchmarks."""

    value: float
    interval: CrossedInterval
    beside: CrossedInterval | None
    """The same with the spread over seeds pooled over the study's arms, to be seen; None where there is none."""
    scope: Scope
    """`recipe`: the choice was tested. `checkpoints`: these trained weights were, with one seed; only images vary."""
    seeds: tuple[int, ...]
    benchmarks: tuple[str, ...]
    n_examples: int
    n_images: int
    n_effective_images: float
    """Number of equally large images that would be worth as much."""
    by_seed: tuple[float, ...]
    """The value with each seed alone, in the order of `seeds`."""
    large_images: tuple[tuple[str, str, float], ...] = ()
    """Benchmark, image, and the image's share of the questions, of images that hold much of a benchmark."""

    @property
    def seed_values(self) -> dict[int, float]:
        """Map each seed to the value with it alone."""
        return dict(zip(self.seeds, self.by_seed, strict=True))

    @property
    def median(self) -> float:
        """Median over seeds: beside a mean that one bad seed pulls down."""
        return statistics.median(self.by_seed)


@dataclass(frozen=True)
class Effect:
    """A weighted sum of arms whose weights add up to 0."""

    estimate: Estimate
    df_pooled: float
    """Of the spread pooled over the study's arms; 0 where there is none."""


@dataclass(frozen=True)
class Contrast(Effect):
    """Alternative - reference, paired by example and seed."""

    reference: str
    alternative: str


def estimate_effect(
    sums: list[Floats],
    frames: tuple[Frame, ...],
    union: ImageUnion,
    seeds: tuple[int, ...],
    weights: Mapping[str, float],
    pool: Pool | None,
    seed_sd: float | None,
    *,
    has_steps: bool = False,
) -> Effect:
    """Estimate a weighted sum of arms over the unweighted mean of benchmarks.

    Args:
        sums: of each benchmark the points on every image, seeds x images, weighted over the arms.
        frames: of each benchmark.
        union: of the images of `frames`.
        seeds: that all arms have, in the order of the rows of `sums`.
        weights: of the arms: a single 1 for the mean of an arm, else they add up to 0.
        pool: variation of the study's arms over seeds; None with a single seed.
        seed_sd: assumed standard deviation in points of one arm's mean over seeds, used where there is one seed.
        has_steps: whether scores are 0 or 1, so that means move in steps and seeds may agree by rounding alone.
    """
    means = np.stack([column.sum(1) / frame.n for column, frame in zip(sums, frames, strict=True)])
    by_seed = means.mean(0)
    value, n_seeds = float(by_seed.mean()), len(seeds)
    is_difference = len(weights) > 1
    images = image_variance(sums, means, frames, union, is_difference=is_difference)
    own = pooled = None
    if pool is not None:
        rounding = sum((100 / frame.n) ** 2 / 12 for frame in frames) / len(frames) ** 2 if has_steps else 0.0
        spread = max(float(by_seed.var(ddof=1)), rounding) / n_seeds
        own = Part(spread if is_difference else max(spread, images.residual), n_seeds - 1)
        pooled = pool.of_effect(n_seeds, weights) if is_difference else pool.of_mean(n_seeds, next(iter(weights)))
    n_bounded = None if is_difference else union.effective

    def interval(seed_part: Part | None, source: SeedSource, spreads: tuple[Spread, ...]) -> CrossedInterval:
        variance = seed_part.variance if seed_part is not None else 0.0
        return CrossedInterval(
            value,
            spreads,
            variance_of_one=images.variance_of_one,
            seed_part=variance,
            image_part=images.part.variance,
            seeds=source,
            n_bounded=n_bounded,
        )

    beside = None
    if own is not None:
        chosen = interval(own, "own", _spreads(own, pooled, images, n_seeds))
        if pooled is not None:
            beside = interval(pooled, "pooled", (Spread((pooled, images.part)),))
    elif seed_sd is not None:
        assumed = Part(sum_of_squares(weights) * seed_sd**2, math.inf)
        chosen = interval(assumed, "assumed", (Spread((assumed, images.part)),))
    else:
        chosen = interval(None, "none", (Spread((images.part,)),))
    estimate = Estimate(
        value=value,
        interval=chosen,
        beside=beside,
        scope="checkpoints" if chosen.seeds == "none" else "recipe",
        seeds=seeds,
        benchmarks=tuple(frame.benchmark for frame in frames),
        n_examples=sum(frame.n for frame in frames),
        n_images=union.size,
        n_effective_images=union.effective,
        by_seed=tuple(float(seed_value) for seed_value in by_seed),
        large_images=union.large,
    )
    return Effect(estimate, pooled.df if pooled is not None else 0)


def _spreads(own: Part, pooled: Part | None, images: ImageVariance, n_seeds: int) -> tuple[Spread, ...]:
    """Name the ways to know the variance: the effect's own seeds and, with other arms, the bound of the pool."""
    share = bound_share(n_seeds)
    if pooled is None or pooled.df <= own.df or share == 0:
        return (Spread((own, images.part)),)
    bound = Part(BOUND**2 * pooled.variance, pooled.df)
    return Spread((own, images.part), 1 - share), Spread((bound, images.part), share)
