"""The t interval, and the variances that one of a study is made of.

The model behind every interval of a study is crossed: the score (or paired difference) of seed s on image c is

    y_sc = mu + a_s + b_c + e_sc

because the same images serve all seeds. The mean over S seeds and C images then has the variance

    sigma_a^2 / S  +  sigma_b^2 / C  +  sigma_e^2 / (S C)

Seed part: variance of the seeds' means, divided by S. It estimates the first and the third term together, and so is not
taken below the third alone, which is known much better: two seeds with equal scores by chance prove no certainty.
Image part: variance of the images' means over seeds, divided by C, minus what the residual explains of it, which the
seed part already holds: (MS_image - MS_residual) / (S C), not below 0. It estimates the second term.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import special  # not scipy.stats, which takes most of a second to import: `ablate plan` needs quantiles

LEVEL = 0.95
OWN_SEEDS = 5
"""From this many seeds on, an effect's own spread over seeds is used; below, the one pooled over the study's arms."""
_ZERO_VARIANCE = 1e-18
"""Below this (points squared) a variance is the rounding of a difference that is the same everywhere."""

Floats = NDArray[np.float64]
SeedSource = Literal["own", "pooled", "assumed", "none"]


@dataclass(frozen=True)
class Interval:
    """A t interval of a value, and the tests that belong to it."""

    value: float
    error: float
    """Standard error."""
    df: float | None
    """Degrees of freedom; None where nothing varies, or where the error is known (then `error` is not 0)."""
    low: float
    high: float
    p: float
    """Two-sided, of the value being 0."""

    @property
    def excludes_zero(self) -> bool:
        return self.low > 0 or self.high < 0

    def p_above(self, bound: float) -> float:
        """Compute the one-sided p of the truth being at most `bound`: small where it lies above."""
        return _tail(self.value - bound, self.error, self.df)

    def p_below(self, bound: float) -> float:
        """Compute the one-sided p of the truth being at least `bound`: small where it lies below."""
        return _tail(bound - self.value, self.error, self.df)


@dataclass(frozen=True)
class CrossedInterval(Interval):
    """An interval over seeds and images. The parts are variances in points squared."""

    seed_part: float
    image_part: float
    seeds: SeedSource
    """Where the seed part comes from; `assumed`: declared in the study; `none`: a single seed, only images vary."""


@dataclass(frozen=True)
class Part:
    """One term of a variance and its degrees of freedom."""

    variance: float
    df: float


@dataclass(frozen=True)
class ImagePart:
    """Variance of a mean by its images: `raw`, as images' means vary, minus the `residual` share of that."""

    raw: Part
    residual: Part | None

    @property
    def variance(self) -> float:
        return max(self.raw.variance - (self.residual.variance if self.residual else 0.0), 0.0)

    @property
    def uncertainty(self) -> float:
        """Its share of the denominator of Satterthwaite's formula; 0 where the part itself is 0."""
        if self.variance == 0:
            return 0.0
        return sum(part.variance**2 / part.df for part in (self.raw, self.residual) if part is not None)


@dataclass(frozen=True)
class Pool:
    """Variation of the means of (arm, seed), seeds being blocks: sums of squares and their degrees of freedom."""

    blocks: float
    df_blocks: int
    residual: float
    df_residual: int

    @staticmethod
    def of(means: Mapping[tuple[str, int], float]) -> Pool:
        """Fit arm + seed by least squares; arms may lack seeds. Arms with a single seed say nothing and drop out."""
        counts = Counter(arm for arm, _ in means)
        trials = [(arm, seed) for arm, seed in means if counts[arm] > 1]
        if not trials:
            return Pool(0.0, 0, 0.0, 0)
        arms = {arm: i for i, arm in enumerate(dict.fromkeys(arm for arm, _ in trials))}
        seeds = {seed: i for i, seed in enumerate(sorted({seed for _, seed in trials}))}
        arm_of = np.array([arms[arm] for arm, _ in trials])
        design = np.zeros((len(trials), len(seeds)))
        design[np.arange(len(trials)), [seeds[seed] for _, seed in trials]] = 1.0
        y = _centred(np.array([[means[trial]] for trial in trials]), arm_of, len(arms))
        design = _centred(design, arm_of, len(arms))
        solution, _, rank, _ = np.linalg.lstsq(design, y, rcond=None)
        residual = float(((y - design @ solution) ** 2).sum())
        within = float((y**2).sum())
        return Pool(max(within - residual, 0.0), int(rank), residual, len(trials) - len(arms) - int(rank))

    def of_effect(self, n_seeds: int, square_weights: float) -> Part | None:
        """Seed part of a weighted sum of arms whose weights add up to 0; None where fewer than two arms have a signal.

        The block cancels, and each arm brings the residual mean square times its squared weight: 2 in all for the
        difference of two arms, 1.5 for the mean difference of two arms to one and the same third.
        """
        if self.df_residual < 1:
            return None
        return Part(square_weights * self.residual / self.df_residual / n_seeds, self.df_residual)

    def of_mean(self, n_seeds: int) -> Part | None:
        """Seed part of an arm's mean. It varies with the block, too: its variance is that within arms, whose blocks all
        arms share (Satterthwaite)."""
        if self.df_residual < 1:
            return None
        df = self.df_blocks + self.df_residual
        within = (self.blocks + self.residual) / df
        share = (self.blocks / df) ** 2 / max(self.df_blocks, 1) + (self.residual / df) ** 2 / self.df_residual
        return Part(within / n_seeds, within**2 / share if share > 0 else df)


def t_interval(value: float, error: float, df: float | None, level: float = LEVEL) -> Interval:
    """Degrees of freedom of None: nothing varies if the error is 0, else the error is known and the quantile normal."""
    half = error * quantile((1 + level) / 2, df) if error > 0 else 0.0
    return Interval(value, error, df, value - half, value + half, 2 * min(_tail(abs(value), error, df), 0.5))


def crossed_interval(
    value: float, seeds: Part | None, images: ImagePart, source: SeedSource, level: float = LEVEL
) -> CrossedInterval:
    residual = images.residual.variance if images.residual is not None else 0.0
    seed_variance = max(seeds.variance, residual) if seeds is not None else 0.0
    variance = seed_variance + images.variance
    if variance < _ZERO_VARIANCE:
        made = t_interval(value, 0.0, None, level)
    else:
        share = images.uncertainty + (seed_variance**2 / seeds.df if seeds is not None else 0.0)
        made = t_interval(value, math.sqrt(variance), variance**2 / share, level)
    return CrossedInterval(
        value, made.error, made.df, made.low, made.high, made.p, seed_variance, images.variance, source
    )


def check_df(n_seeds: int, df_pooled: float) -> float:
    """Degrees of freedom of the interval with which the main one of a study must agree.

    It has the other one of own and pooled spread, literally from 3 seeds on. With two seeds the own spread has one
    degree of freedom: its factor of 12.7 says how little two numbers tell of their own spread, not that the pooled
    spread is wrong, and holding that against an effect would make pooling pointless. So there the own spread is taken
    at face value, with the pooled degrees of freedom: it still vetoes where an arm visibly varies more than the others.

    Measured by `python -m measurements.verdict_coverage` (8 arms, seeds alone vary; false alarms at 5 % with one arm as
    noisy as the others / twice / three times, and power for an effect of 2.8 standard errors):

        2 seeds: pooled alone 5, 13, 21 %, power 68 %; face value 4, 10, 15 %, 57 %; literal 1, 2, 3 %, 14 %
        3 seeds: pooled alone 5, 14, 22 %, power 74 %; face value 4, 9, 13 %, 65 %;  literal 2, 3, 4 %, 32 %
        4 seeds: pooled alone 5, 14, 22 %, power 76 %; face value 4, 8, 11 %, 68 %;  literal 2, 4, 5 %, 45 %
    """
    if n_seeds >= OWN_SEEDS or n_seeds == 2:
        return df_pooled
    return n_seeds - 1


def quantile(probability: float, df: float | None) -> float:
    """Return a quantile of Student's t; of the normal distribution where `df` is None or infinite."""
    if df is None or math.isinf(df):
        return float(special.ndtri(probability))
    return float(special.stdtrit(df, probability))


def _tail(distance: float, error: float, df: float | None) -> float:
    """Probability of a t value above `distance` / `error`."""
    if error == 0:
        return 0.0 if distance > 1e-9 else 0.5 if distance > -1e-9 else 1.0
    if df is None or math.isinf(df):
        return float(special.ndtr(-distance / error))
    return float(special.stdtr(df, -distance / error))


def _centred(values: Floats, group_of: NDArray[np.intp], n_groups: int) -> Floats:
    """Columns minus the mean of each row's group."""
    sums = np.zeros((n_groups, values.shape[1]))
    np.add.at(sums, group_of, values)
    centred: Floats = values - (sums / np.bincount(group_of)[:, None])[group_of]
    return centred
