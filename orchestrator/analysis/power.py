"""Compute what a number of seeds and examples can decide.

Power is that of the rule of `verdicts` as it is applied, with the seeds' spread unknown. The estimate of that spread is
integrated over its distribution (chi-square, by midpoints of its quantiles, so that nothing is drawn): each value gives
the distance from which on an estimate is judged, and the normal distribution of the estimate around the truth does the
rest. The error by images is taken as known: it has hundreds of degrees of freedom.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, assert_never

import numpy as np

from orchestrator.analysis.critical_values import critical_values, upper_quantile
from orchestrator.analysis.distributions import chi2_upper_quantile, normal_cdf
from orchestrator.analysis.intervals import Floats
from orchestrator.analysis.rule import ALPHA, Statement
from orchestrator.analysis.seed_spread import BOUND, bound_share

POWER = 0.8
MOST_SEEDS = 100
"""The largest number of seeds that is tried."""
DEFAULT_SEED_SD = (0.3, 1.0)
"""Standard deviation over seeds of an arm's score, in points, where nothing is known: a range. On the benchmarks of
vision-language models 0.3 is a calm one (VQAv2, GQA), 1.0 a restless one (VizWiz, RefCOCO)."""
SCALE = 100.0
"""Points of the scale: no effect is larger."""
_OWN_POINTS, _POOLED_POINTS = 400, 24
_LEAST_VARIANCE = 1e-300


@dataclass(frozen=True)
class Design:
    """An effect before it is measured. Variances are in points squared."""

    n_seeds: int
    df_pooled: float
    """Degrees of freedom of the spread pooled over arms, (arms - 1) x (seeds - 1); 0 with one seed."""
    seed_variance: float
    """Of the effect with one seed: sum of the squared weights of its arms x variance of an arm's mean over seeds."""
    image_variance: float
    """Of the effect by the choice of images; more seeds do not lower it."""
    n_hypotheses: int = 1
    """Declared together: the first step of Holm's correction is taken for all of them."""
    is_seed_sd_assumed: bool = False
    """With one seed: whether the spread over seeds is declared. If not, only these checkpoints are compared."""
    look_share: float = 1.0
    """Share of alpha that a look at these seeds may use, where there are several (`looks`)."""

    @property
    def alpha(self) -> float:
        """Level of the first step of Holm's correction, at this look."""
        return ALPHA * self.look_share / self.n_hypotheses

    @property
    def error(self) -> float:
        """Standard error of the estimate, as far as its interval is meant to cover it."""
        return math.sqrt((self.seed_variance / self.n_seeds if self.tests_recipe else 0.0) + self.image_variance)

    @property
    def tests_recipe(self) -> bool:
        """Whether the choice is tested, and not only these checkpoints."""
        return self.n_seeds > 1 or self.is_seed_sd_assumed


def power(statement: Statement, effect: float, design: Design, margin: float | None = None) -> float:
    """Compute the probability of a verdict: `differs` (to the side of `effect`), `equivalent` or `not-worse`.

    Args:
        statement: the test.
        effect: true effect in points.
        design: of the study.
        margin: in points; not None but for `differs`.
    """
    if statement == "differs":
        if design.error == 0:  # nothing varies: every difference is found
            return float(effect != 0)
        return float(np.mean(normal_cdf((abs(effect) - _reach(design, True)) / design.error)))
    assert margin is not None
    error = max(design.error, 1e-12)
    room = margin - _reach(design, False)
    upper = normal_cdf((room + effect) / error)  # above -margin
    match statement:
        case "not-worse":
            return float(np.mean(upper))
        case "equivalent":
            lower = normal_cdf((room - effect) / error)
            return float(np.mean(np.clip(upper + lower - 1, 0, None)))
        case _:
            assert_never(statement)


def smallest_effect(design: Design, at: float = POWER) -> float:
    """Find the smallest true difference, in points, that is decided with this power; it may lie beyond the scale."""
    return _smallest(lambda effect: power("differs", effect, design), design, at)


def smallest_margin(design: Design, statement: Literal["equivalent", "not-worse"], at: float = POWER) -> float | None:
    """Find the smallest margin, in points, at which two choices that do not differ are shown to be so.

    Args:
        design: of the study.
        statement: the test.
        at: power, 0 to 1.

    Returns:
        None for single checkpoints.
    """
    if not design.tests_recipe:
        return None
    return _smallest(lambda margin: power(statement, 0.0, design, margin), design, at)


def fewest_seeds(design_of: Callable[[int], Design], decides: Callable[[Design], bool]) -> int | None:
    """Find the smallest number of seeds, from two on, that decides; None: not with `MOST_SEEDS`.

    Args:
        design_of: design with so many seeds. More of them never decide less.
        decides: whether a design has enough power.
    """
    more = fewest(lambda n: decides(design_of(1 + n)), MOST_SEEDS - 1)
    return None if more is None else 1 + more


def fewest(decides: Callable[[int], bool], most: int) -> int | None:
    """Find the smallest number from 1 to `most` that decides, where more never decides less; None: not even `most`."""
    if not decides(most):
        return None
    low, high = 0, most
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if decides(middle) else (middle, high)
    return high


def reach(own: Floats, pooled: Floats, design: Design, two_sided: bool) -> Floats:
    """Compute how far an estimate must lie from a bound to be judged beyond it: the half-width of its interval.

    Args:
        own: estimates of `design.seed_variance` from the contrast's own seeds.
        pooled: estimates of it from all arms, which two to four seeds are bounded by (`seed_spread`).
        design: whose images, seeds and hypotheses are taken.
        two_sided: as for a difference; else one-sided, as for a margin.
    """
    tail = design.alpha / (2 if two_sided else 1)
    n = design.n_seeds
    if n == 1:
        return np.array([upper_quantile(tail, math.inf) * design.error])
    share = bound_share(n) if design.df_pooled > n - 1 else 0.0
    width = _half_width(own, n - 1.0, tail * (1 - share), design)
    if share == 0:
        return width
    return np.minimum(width, _half_width(BOUND**2 * pooled, design.df_pooled, tail * share, design))


def _half_width(seed_variance: Floats, df: float, tail: float, design: Design) -> Floats:
    """Compute half-widths of intervals from estimates of the spread over seeds with `df` degrees of freedom."""
    seeds = seed_variance / design.n_seeds
    variance = seeds + design.image_variance
    width: Floats = critical_values(tail, seeds / np.maximum(variance, _LEAST_VARIANCE), df) * np.sqrt(variance)
    return width


@lru_cache(maxsize=512)
def _reach(design: Design, two_sided: bool) -> Floats:
    """Compute the reach for equally probable estimates of the spread."""
    n, rest = design.n_seeds, design.df_pooled - (design.n_seeds - 1)
    if n == 1:
        return reach(np.zeros(1), np.zeros(1), design, two_sided)
    own = _chi_square(n - 1.0, _OWN_POINTS)  # of the mean square: its ratio to the truth
    if rest <= 0 or bound_share(n) == 0:
        return reach(own * design.seed_variance, np.zeros(1), design, two_sided)
    own_GP = np.broadcast_to(own[:, None], (len(own), _POOLED_POINTS))
    pooled_GP = ((n - 1) * own_GP + rest * _chi_square(rest, _POOLED_POINTS)) / design.df_pooled
    return reach((own_GP * design.seed_variance).ravel(), (pooled_GP * design.seed_variance).ravel(), design, two_sided)


@lru_cache(maxsize=512)
def _chi_square(df: float, points: int) -> Floats:
    """List equally probable values of chi-square / df: quantiles at the midpoints of so many classes."""
    upper_tails = (np.arange(points)[::-1] + 0.5) / points
    values: Floats = chi2_upper_quantile(df, upper_tails) / df
    return values


def _smallest(power_at: Callable[[float], float], design: Design, at: float) -> float:
    low, high = 0.0, max(design.error, 1e-9)
    while power_at(high) < at:
        low, high = high, 2 * high
    for _ in range(20):
        middle = (low + high) / 2
        low, high = (low, middle) if power_at(middle) >= at else (middle, high)
    return high
