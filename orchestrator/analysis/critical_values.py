"""Critical values of an estimate whose variance has two parts, one of them known with few degrees of freedom.

With a seed part of d degrees of freedom beside an image part that is known well, Satterthwaite's degrees of freedom
are far too sure: an error of 5 % becomes 12.7 % with two seeds and 7.8 % with three, 1 % becomes 8.2 % and 3.5 %. The
critical value here lies between the quantiles of the two parts, by the share c of the unsure part in the variance:

    critical value = sure + (unsure - sure) x max(0, (c - start) / (1 - start)) ^ power

The tables have start and power for each level and degrees of freedom, so that the error is the level, whatever the
true ratio of the parts: at most 1.04 times as often, and mostly 0.9 to 1 (`python -m measurements.critical_values`
finds them; the idea is Welch's and Aspin's of 1947 to 1949, whose series does not serve below six degrees of freedom).
One degree of freedom at levels below 1 % leaves no such value: there the error stays below the level.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from orchestrator.analysis.distributions import normal_cdf, normal_quantile, t_cdf, t_quantile

LEVELS = (0.1, 0.05, 0.025, 0.01, 0.005, 0.0025, 0.001, 1e-4, 1e-5)
"""Two-sided levels of the columns of the tables."""
STARTS: Mapping[int, Sequence[float]] = {
    1: (0.25, 0.1, 0.03, 0.005, 0, 0, 0, 0, 0),
    2: (0.325, 0.275, 0.225, 0.125, 0.075, 0.05, 0.02, 0, 0),
    3: (0.25, 0.275, 0.25, 0.225, 0.175, 0.15, 0.1, 0.03, 0.005),
    4: (0.25, 0.225, 0.225, 0.2, 0.2, 0.175, 0.15, 0.075, 0.03),
    5: (0.25, 0.225, 0.225, 0.2, 0.175, 0.175, 0.175, 0.125, 0.075),
    6: (0.275, 0.225, 0.2, 0.175, 0.175, 0.175, 0.175, 0.125, 0.1),
    7: (0.3, 0.25, 0.2, 0.175, 0.175, 0.15, 0.15, 0.125, 0.125),
    8: (0.3, 0.25, 0.225, 0.175, 0.15, 0.15, 0.15, 0.125, 0.1),
    9: (0.325, 0.25, 0.225, 0.175, 0.175, 0.15, 0.15, 0.125, 0.1),
}
"""Degrees of freedom -> start at each level; more than nine are taken for nine."""
POWERS: Mapping[int, Sequence[float]] = {
    1: (0.25, 0.35, 0.5, 0.55, 0.55, 0.5, 0.5, 0.5, 0.6),
    2: (0.75, 0.6, 0.45, 0.5, 0.55, 0.5, 0.55, 0.55, 0.65),
    3: (1.15, 0.9, 0.75, 0.6, 0.6, 0.5, 0.5, 0.5, 0.7),
    4: (1.2, 1.15, 1, 0.85, 0.75, 0.75, 0.65, 0.6, 0.7),
    5: (1.25, 1.2, 1.1, 1, 0.95, 0.85, 0.75, 0.65, 0.6),
    6: (1.25, 1.25, 1.25, 1.15, 1.05, 0.95, 0.85, 0.8, 0.65),
    7: (1.25, 1.25, 1.25, 1.2, 1.1, 1.1, 1, 0.85, 0.75),
    8: (1.25, 1.25, 1.2, 1.25, 1.25, 1.15, 1.05, 0.95, 0.9),
    9: (1.25, 1.25, 1.25, 1.25, 1.2, 1.2, 1.15, 1, 0.95),
}
"""Degrees of freedom -> power at each level."""
_LOGS = tuple(-math.log(level) for level in LEVELS)


def critical_value(tail: float, unsure_share: float, unsure_df: float, sure_df: float = math.inf) -> float:
    """Compute how many standard errors are exceeded on one side with a probability of `tail`.

    Args:
        tail: 0 to 0.5.
        unsure_share: share in the variance of the part with fewer degrees of freedom, 0 to 1.
        unsure_df: its degrees of freedom.
        sure_df: those of the other part.
    """
    sure, unsure = upper_quantile(tail, sure_df), upper_quantile(tail, unsure_df)
    start, power = ramp(2 * tail, unsure_df)
    beyond: float = max(0.0, (unsure_share - start) / (1 - start)) ** power
    return sure + (unsure - sure) * beyond


def critical_values(tail: float, unsure_shares: NDArray[np.float64], unsure_df: float) -> NDArray[np.float64]:
    """Compute critical values for many shares of the unsure part at once, the other part being known.

    Args:
        tail: 0 to 0.5.
        unsure_shares: each as in `critical_value`.
        unsure_df: degrees of freedom of the unsure part.
    """
    sure, unsure = upper_quantile(tail, math.inf), upper_quantile(tail, unsure_df)
    start, power = ramp(2 * tail, unsure_df)
    values: NDArray[np.float64] = (
        sure + (unsure - sure) * np.clip((unsure_shares - start) / (1 - start), 0.0, None) ** power
    )
    return values


def ramp(level: float, df: float) -> tuple[float, float]:
    """Find start and power for a two-sided level, interpolated between those of the tables."""
    most = max(STARTS)
    below, above = max(min(math.floor(df), most), 1), max(min(math.ceil(df), most), 1)
    first, second = _at_level(level, below), _at_level(level, above)
    share = df - below if above > below else 0.0
    return first[0] + share * (second[0] - first[0]), first[1] + share * (second[1] - first[1])


def _at_level(level: float, df: int) -> tuple[float, float]:
    row = list(zip(STARTS[df], POWERS[df], strict=True))
    position = -math.log(max(level, 1e-300))
    if position <= _LOGS[0]:
        return row[0]
    if position >= _LOGS[-1]:
        return row[-1]
    right = bisect_left(_LOGS, position)
    share = (position - _LOGS[right - 1]) / (_LOGS[right] - _LOGS[right - 1])
    (start, power), (next_start, next_power) = row[right - 1], row[right]
    return start + share * (next_start - start), power + share * (next_power - power)


def upper_quantile(tail: float, df: float) -> float:
    """Return what Student's t exceeds with a probability of `tail`; the normal distribution with infinite `df`."""
    return float(-normal_quantile(tail) if math.isinf(df) else -t_quantile(df, tail))


def upper_tail(errors: float, df: float) -> float:
    """Return the probability of a value of Student's t above `errors`."""
    return float(normal_cdf(-errors) if math.isinf(df) else t_cdf(df, -errors))
