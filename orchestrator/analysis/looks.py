"""Turn the p of a look at data into one that stays valid when the data were looked at before, or will be again.

Whoever adds seeds until a claim is decided takes several tests of it. The level alpha is therefore spent over the looks
(Lan & DeMets 1983): of the cumulative share A_k that a spending function allows by look k, look k may use what no
earlier look has used, and its nominal level a_k is the p that is crossed with probability A_k - A_(k-1) by looks that
crossed nothing before. A sequential p (Liu & Anderson 2008) is the smallest alpha at which look k rejects:

    p_k  ->  inf { alpha : p_k <= a_k(alpha) }

The chance that it is ever at most alpha is at most alpha, whatever the stopping; so Holm's correction over hypotheses
that are looked at at different times is valid as it is.

Correlation of looks. The p of a look is turned into a normal score. The scores of two looks at S < S' seeds, the second
of which holds the first, have a correlation of sqrt(S / S') where only seeds vary and their spread is known; a larger
one where images vary as well, because they are common to both; a smaller one where the spread is estimated from few
seeds. sqrt((S - 1) / S') is taken: of normal draws looked at with each seed from 3 to 10, O'Brien and Fleming's levels
then make 4.7 % false claims, where sqrt(S / S') makes 5.8 %. The smaller a correlation is taken to be, the smaller are
levels, so that images only make them too small. For the same reason shares are functions of seeds, and not of variances
that were estimated. Where a look does not hold all seeds of the one before it, its level is its share.

Spending. Up to `last` seeds by the function that was declared, at the fraction that was in fact reached. Where no looks
are declared, `last` is the number of seeds that was planned, a twentieth of alpha is kept back, and S seeds beyond it
may use (1 - last / S) of that: there is no last look.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from typing import assert_never

import numpy as np
from numpy.typing import NDArray

from orchestrator.analysis.distributions import normal_cdf, normal_quantile
from search_spaces.study import Spending

KEPT_BACK = 0.05
"""Share of alpha for looks after the planned one. A single look at all planned seeds is tested at alpha itself, so that
all looks together cost at most 1 + this share of it."""

_LOWEST_SCORE = -9.0
_SMALLEST_SHARE = 1e-16
"""Below this no score is large enough."""
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(96)
_ALPHAS = np.concatenate([np.logspace(-14, -4, 40), np.logspace(-4, math.log10(0.5), 60)[1:]])
"""One-sided levels at which nominal levels are computed; between them scores are interpolated."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Looks:
    """All looks at one hypothesis so far, the last one being the present."""

    sizes: tuple[int, ...]
    """Seeds that each look had."""
    clocks: tuple[int, ...]
    """Distinct seeds seen by each look and those before it; looks at other scores of the same seeds add 1."""
    nested: tuple[bool, ...]
    """Whether each look had all seeds of the one before, and more."""
    last: int
    """Seeds of the last declared look; where none are declared, seeds that were planned."""
    spending: Spending = "obrien-fleming"
    kept_back: float = KEPT_BACK
    """Share of alpha that is not spent by `last`."""

    @staticmethod
    def of(
        seeds: Sequence[Sequence[int]],
        last: int,
        spending: Spending = "obrien-fleming",
        *,
        is_declared: bool,
    ) -> Looks:
        """Order looks by the seeds that they had.

        Args:
            seeds: of each look, oldest first; at least one look.
            last: seeds of the last declared look, or planned.
            spending: how alpha is spent up to there.
            is_declared: whether the hypothesis declares its looks: nothing is kept back for others.
        """
        seen: set[int] = set()
        clocks: list[int] = []
        for look in seeds:
            new = set(look) - seen
            seen |= new
            clocks.append((clocks[-1] if clocks else 0) + (len(new) if new or not clocks else 1))
        nested = [False] + [set(earlier) < set(later) for earlier, later in pairwise(seeds)]
        kept_back = 0.0 if is_declared else KEPT_BACK
        sizes = tuple(len(set(look)) for look in seeds)
        return Looks(sizes, tuple(clocks), tuple(nested), last, spending, kept_back)

    @staticmethod
    def declared(sizes: Sequence[int], size: int, spending: Spending = "obrien-fleming") -> Looks:
        """Take the looks that are declared before a number of seeds for done; one beyond the last stands for the last.

        Args:
            sizes: that are declared, increasing.
            size: seeds of the present look.
            spending: how alpha is spent over them.
        """
        taken = [*(earlier for earlier in sizes[:-1] if earlier < size), size]
        return Looks.of([range(n) for n in taken], sizes[-1], spending, is_declared=True)

    @property
    def is_fixed(self) -> bool:
        """Whether this is the only look, at all seeds that were planned or declared: its p counts as it is."""
        return len(self.sizes) == 1 and self.clocks[0] >= self.last

    @property
    def is_used_up(self) -> bool:
        """Whether all of alpha was spent by looks before this one."""
        return self.kept_back == 0 and len(self.clocks) > 1 and self.clocks[-2] >= self.last

    def next(self) -> Looks:
        """Return these looks and one more.

        It is at the number of seeds by which alpha is spent, else at twice as many seeds as there are.
        """
        size = self.last if self.sizes[-1] < self.last else 2 * self.sizes[-1]
        clock = self.clocks[-1] + size - self.sizes[-1]
        return replace(self, sizes=(*self.sizes, size), clocks=(*self.clocks, clock), nested=(*self.nested, True))

    def one_sided_p(self, p: float) -> float:
        """Turn the one-sided p of the present look into a sequential one."""
        if self.is_fixed:
            return p
        levels = _level_table(self)
        if p > levels[-1]:
            return 1.0
        usable = levels > 0
        if p <= levels[usable][0]:
            return float(_ALPHAS[usable][0])
        scores = np.interp(normal_quantile(p), normal_quantile(levels[usable]), normal_quantile(_ALPHAS[usable]))
        return max(float(normal_cdf(scores)), p)

    def two_sided_p(self, p: float) -> float:
        """Turn the two-sided p of the present look into a sequential one: each side is tested at half the level."""
        return min(2 * self.one_sided_p(p / 2), 1.0)

    def level(self, alpha: float) -> float:
        """Compute the two-sided nominal level of the present look.

        The interval with 1 minus this level covers the truth at all looks together with 1 - alpha (a repeated
        confidence interval, Jennison & Turnbull 1989).
        """
        return alpha if self.is_fixed else 2 * _nominal_level(self, alpha / 2)


def spent(looks: Looks, alpha: float) -> list[float]:
    """Compute the share of alpha, one-sided, that may be used by each look and those before it."""
    by_last = (1 - looks.kept_back) * alpha
    return [
        _spent_by(looks.spending, by_last, clock / looks.last)
        if clock < looks.last
        else alpha * (1 - looks.kept_back * looks.last / clock)
        for clock in looks.clocks
    ]


def _spent_by(spending: Spending, alpha: float, fraction: float) -> float:
    match spending:
        case "obrien-fleming":
            return 2 * float(normal_cdf(normal_quantile(alpha / 2) / math.sqrt(fraction)))
        case "pocock":
            return alpha * math.log1p((math.e - 1) * fraction)
        case _:
            assert_never(spending)


@lru_cache(maxsize=256)
def _level_table(looks: Looks) -> Floats:
    """Compute the nominal levels of the present look for `_ALPHAS`; they grow with alpha."""
    levels: Floats = np.maximum.accumulate(_nominal_levels(looks, _ALPHAS))
    return levels


@lru_cache(maxsize=4096)
def _nominal_level(looks: Looks, alpha: float) -> float:
    return float(_nominal_levels(looks, np.array([alpha]))[0])


def _nominal_levels(looks: Looks, alphas_A: Floats) -> Floats:
    """Compute the one-sided p at which the present look rejects, for each level alpha.

    The density of the present score, of those looks that have crossed no bound, is carried from look to look at Gauss's
    nodes between `_LOWEST_SCORE` and the bound (Armitage, McPherson & Rowe 1969). A: alphas, N: nodes.
    """
    shares_LA = np.diff([spent(looks, float(alpha)) for alpha in alphas_A], axis=1, prepend=0.0).T
    nodes_AN: Floats = np.empty((len(alphas_A), 0))
    mass_AN: Floats = nodes_AN
    bound_A: Floats = np.full(len(alphas_A), np.inf)
    for position, share_A in enumerate(shares_LA):
        is_nested = looks.nested[position]
        if is_nested:
            correlation = math.sqrt((looks.sizes[position - 1] - 1) / looks.sizes[position])
            bound_A = _bounds(nodes_AN, mass_AN, correlation, share_A)
        else:
            correlation = 0.0
            bound_A = -normal_quantile(share_A)
        bound_A = np.where(share_A < _SMALLEST_SHARE, np.inf, bound_A)
        half_A1 = (np.minimum(bound_A, -_LOWEST_SCORE)[:, None] - _LOWEST_SCORE) / 2
        new_nodes_AN = _LOWEST_SCORE + half_A1 * (_NODES + 1)
        if is_nested:
            error = math.sqrt(1 - correlation**2)
            steps = (new_nodes_AN[:, :, None] - correlation * nodes_AN[:, None, :]) / error
            density_AN = np.einsum("anm,am->an", _normal_density(steps), mass_AN) / error
        else:
            density_AN = _normal_density(new_nodes_AN)
        nodes_AN, mass_AN = new_nodes_AN, half_A1 * _WEIGHTS * density_AN
    levels: Floats = normal_cdf(-bound_A)
    return levels


def _bounds(nodes_AN: Floats, mass_AN: Floats, correlation: float, share_A: Floats) -> Floats:
    """Find the scores that are crossed with the probabilities `share_A` by what has crossed nothing before."""
    error = math.sqrt(1 - correlation**2)
    low_A, high_A = np.full(len(share_A), -4.0), np.full(len(share_A), -_LOWEST_SCORE)
    for _ in range(34):  # to 1e-9
        middle_A = (low_A + high_A) / 2
        crossed_A = (mass_AN * normal_cdf((correlation * nodes_AN - middle_A[:, None]) / error)).sum(1)
        low_A, high_A = np.where(crossed_A > share_A, middle_A, low_A), np.where(crossed_A > share_A, high_A, middle_A)
    return high_A


def _normal_density(values: Floats) -> Floats:
    density: Floats = np.exp(-(values**2) / 2) / math.sqrt(2 * math.pi)
    return density
