"""Intervals and tests of an estimate whose variance has several parts, each known with its own degrees of freedom.

The model behind every interval of a study is crossed: the score (or paired difference) of seed s on image c is

    y_sc = mu + a_s + b_c + e_sc

because the same images serve all seeds. The mean over S seeds and C images then has the variance

    sigma_a^2 / S  +  sigma_b^2 / C  +  sigma_e^2 / (S C)

The seed part, the variance of the seeds' means divided by S, estimates the first and the third term (`seed_spread`);
the image part estimates the second (`image_spread`). Two or three seeds know their own part with one or two degrees of
freedom, images know theirs with hundreds: `critical_values` has the quantile of such a pair.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from orchestrator.analysis.critical_values import critical_value, upper_quantile, upper_tail

LEVEL = 0.95
_ZERO_VARIANCE = 1e-18
"""Below this (points squared) a variance is the rounding of a difference that is the same everywhere."""
_SMALLEST_P = 1e-300

Floats = NDArray[np.float64]
SeedSource = Literal["own", "pooled", "assumed", "none"]


@dataclass(frozen=True)
class Part:
    """One term of a variance and its degrees of freedom; infinite: it is known."""

    variance: float
    df: float


@dataclass(frozen=True)
class Spread:
    """One way to know the variance of an estimate, and the share of the error rate that a test by it may use."""

    parts: tuple[Part, ...]
    """One, or two: by seeds and by images."""
    share: float = 1.0

    @property
    def variance(self) -> float:
        return sum(part.variance for part in self.parts)

    @property
    def error(self) -> float:
        """Standard error."""
        return math.sqrt(self.variance) if self.variance > _ZERO_VARIANCE else 0.0

    @property
    def df(self) -> float:
        """Degrees of freedom of the whole (Satterthwaite): to be shown; no test uses them where there are two parts."""
        uncertainty = sum(part.variance**2 / part.df for part in self.parts)
        return self.variance**2 / uncertainty if uncertainty > 0 else math.inf

    def critical(self, tail: float) -> float:
        """Compute how many standard errors are exceeded on one side with this probability, its share of it taken."""
        return self._critical(tail * self.share)

    def tail(self, distance: float, least_variance: float = 0.0) -> float:
        """Compute the one-sided p of an estimate that lies `distance` beyond a bound, 0 to 1.

        Args:
            distance: in the unit of the estimate; negative on the bound's other side.
            least_variance: the estimate is taken to vary at least so much.
        """
        error = math.sqrt(max(self.variance, least_variance))
        if error**2 < _ZERO_VARIANCE:
            return 0.0 if distance > 1e-9 else 0.5 if distance > -1e-9 else 1.0
        inside = self._tail(abs(distance) / error)
        return min((inside if distance >= 0 else 1.0 - inside) / self.share, 1.0)

    def _tail(self, errors: float) -> float:
        """Find the tail beyond a number of standard errors: between those of its surest and least sure part."""
        dfs = [part.df for part in self.parts if part.variance > 0]
        low, high = (max(upper_tail(errors, df), _SMALLEST_P) for df in (max(dfs), min(dfs)))
        if high <= low * (1 + 1e-9):
            return high
        low, high = math.log(low), math.log(high)
        for _ in range(40):
            middle = (low + high) / 2
            if self._critical(math.exp(middle)) > errors:
                low = middle
            else:
                high = middle
        return math.exp(high)

    def _critical(self, tail: float) -> float:
        by_df = sorted(self.parts, key=lambda part: part.df)
        unsure, *rest = [part for part in by_df if part.variance > 0] or by_df[-1:]
        if not rest:
            return upper_quantile(tail, unsure.df)
        (sure,) = rest
        return critical_value(tail, unsure.variance / self.variance, unsure.df, sure.df)


@dataclass(frozen=True)
class Interval:
    """An interval of a value, and the tests that belong to it.

    Where the variance is known in several ways, the shares of their error rates add up to 1, and the interval is the
    narrowest of theirs: it errs at most as often as all of them together.
    """

    value: float
    spreads: tuple[Spread, ...]
    level: float = LEVEL
    variance_of_one: float = 0.0
    """Where few examples differ: the variance that a difference of x (in hundredths) has at least, divided by
    x (1 - x). Differences of 0/1 scores that are nowhere seen are not known to be nowhere."""

    @cached_property
    def half_width(self) -> float:
        tail = (1 - self.level) / 2
        return min(spread.error * spread.critical(tail) if spread.error else 0.0 for spread in self.spreads)

    @property
    def low(self) -> float:
        return self.value - self.half_width

    @property
    def high(self) -> float:
        return self.value + self.half_width

    @property
    def error(self) -> float:
        """Standard error, in the first way."""
        return self.spreads[0].error

    @property
    def df(self) -> float | None:
        """Degrees of freedom in the first way; None where nothing varies or the error is known."""
        df = self.spreads[0].df
        return None if self.error == 0 or math.isinf(df) else df

    @cached_property
    def p(self) -> float:
        """Two-sided p of the value being 0."""
        return min(2 * min(spread.tail(abs(self.value)) for spread in self.spreads), 1.0)

    @property
    def excludes_zero(self) -> bool:
        return self.low > 0 or self.high < 0

    def p_above(self, bound: float) -> float:
        """Compute the one-sided p of the truth being at most `bound`: small where it lies above."""
        return self._p_beyond(self.value - bound, bound)

    def p_below(self, bound: float) -> float:
        """Compute the one-sided p of the truth being at least `bound`: small where it lies below."""
        return self._p_beyond(bound - self.value, bound)

    def _p_beyond(self, distance: float, bound: float) -> float:
        share = min(abs(bound) / 100, 1.0)
        least = self.variance_of_one * share * (1 - share)
        return min(spread.tail(distance, least) for spread in self.spreads)


@dataclass(frozen=True)
class CrossedInterval(Interval):
    """An interval over seeds and images. The parts are variances in points squared."""

    seed_part: float = 0.0
    image_part: float = 0.0
    seeds: SeedSource = "none"
    """Where the seed part comes from; `assumed`: declared in the study; `none`: a single seed, only images vary."""
    n_bounded: float | None = None
    """Of a mean of scores from 0 to 100: number of images that it rests on, for an interval that stays inside."""

    @property
    def low(self) -> float:
        return self._bounded[0]

    @property
    def high(self) -> float:
        return self._bounded[1]

    @cached_property
    def _bounded(self) -> tuple[float, float]:
        """Limits of a difference, which is never beyond 100 points; of a mean those of Wilson (1927), with the
        effective number of examples that the standard error stands for, and the quantile that belongs to it."""
        if self.n_bounded is None:
            return max(self.value - self.half_width, -100.0), min(self.value + self.half_width, 100.0)
        tail = (1 - self.level) / 2
        p = min(max(self.value / 100, 0.0), 1.0)
        if p in (0.0, 1.0):
            limits = [_wilson(p, self.n_bounded, upper_quantile(tail, math.inf))]
        else:
            limits = [_wilson(p, self._effective_n(spread, p), spread.critical(tail)) for spread in self.spreads]
        low, high = min(limits, key=lambda pair: pair[1] - pair[0])
        return 100 * low, 100 * high

    def _effective_n(self, spread: Spread, p: float) -> float:
        assert self.n_bounded is not None
        return p * (1 - p) / (spread.variance / 1e4) if spread.error > 0 else self.n_bounded


def t_interval(value: float, error: float, df: float | None, level: float = LEVEL) -> Interval:
    """Make an interval of one part.

    Args:
        value: the estimate.
        error: its standard error, in the unit of the estimate; 0: nothing varies.
        df: degrees of freedom; None: the error is known.
        level: of the interval, 0 to 1.
    """
    return Interval(value, (Spread((Part(error**2, math.inf if df is None else df),)),), level)


def _wilson(p: float, n: float, z: float) -> tuple[float, float]:
    """Compute the score interval of a share.

    Args:
        p: the share, 0 to 1.
        n: effective number of draws.
        z: quantile, in standard errors.
    """
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(p * (1 - p) / n + (z / (2 * n)) ** 2) / (1 + z * z / n)
    return max(centre - half, 0.0), min(centre + half, 1.0)
