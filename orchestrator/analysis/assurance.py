"""Compute how probably an open hypothesis is decided by more seeds, or more examples, given what was seen.

Neither the effect nor the spread over seeds is known: both are estimates from few seeds. What more seeds will show is
therefore predicted as for a sample from a normal distribution whose mean and variance are uncertain (assurance, the
mean of the power over what is not known):

    spread   sigma^2 given what was seen: scaled inverse chi-square, of the effect's own spread and of that of the other
             arms, which count `PRIOR_DF` degrees of freedom at most
    effect   on these images, given sigma: normal around what was seen, with variance sigma^2 / seeds, and drawn towards
             0 by a normal prior: of `PRIOR_EFFECT` points, as an open effect that looks large is too large on average;
             of `PRIOR_MARGIN` margins where there is one, as who claims equivalence within 3 points expects no 5. What
             was seen widens the prior: a surprise is not explained away
    then     k more seeds, with a mean and a spread of their own, are put together with those that are there, and
             judged once by the rule

More seeds do not draw the images anew: the error by images widens the interval and moves nothing. The prediction is a
mean over 1,024 evenly spread points (additive recurrence), the same ones for every number of seeds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from orchestrator.analysis.distributions import chi2_upper_quantile, normal_quantile
from orchestrator.analysis.intervals import Floats
from orchestrator.analysis.power import Design, reach
from orchestrator.analysis.rule import Statement

PRIOR_DF = 4.0
"""Degrees of freedom that the spread of other arms, or an assumed one, counts for at most: arms are not alike."""
PRIOR_EFFECT = 5.0
"""Standard deviation of the effect in points, where a claim has no margin: most choices move a score by less."""
PRIOR_MARGIN = 0.5
"""Standard deviation of the effect as a share of the margin, where a claim has one."""
_N_POINTS = 1024


@dataclass(frozen=True)
class Claim:
    """What decides a hypothesis: a difference to either side, or the test that it expects."""

    statement: Statement
    margin: float | None
    """In points."""

    def prior_sd(self, value: float) -> float:
        """Choose the standard deviation of the effect before anything was seen; what was seen may widen it."""
        if self.margin is None:
            return max(PRIOR_EFFECT, abs(value))
        return PRIOR_MARGIN * max(self.margin, abs(value))

    def decided(self, value: Floats, own: Floats, pooled: Floats, design: Design) -> float:
        """Compute the share of outcomes that are decided.

        Args:
            value: estimates of the effect, in points.
            own: estimates of the spread from its own seeds, as `power.reach` takes them.
            pooled: estimates of the spread from all arms.
            design: of the study then.
        """
        decided = np.abs(value) > reach(own, pooled, design, True)
        if self.margin is not None and design.tests_recipe:
            distance = -value if self.statement == "not-worse" else np.abs(value)
            decided = decided | (distance < self.margin - reach(own, pooled, design, False))
        return float(np.mean(decided))


@dataclass(frozen=True)
class Seen:
    """An effect as it was measured, and what is known of its spread. Variances are in points squared."""

    value: float
    """Of the effect, in points."""
    own_variance: float | None
    """Of the effect over its own seeds, for one seed; None where there is a single one."""
    design: Design
    """Of the study as it stands; its `seed_variance` is that of all arms, pooled or assumed, for one seed."""

    @property
    def spread(self) -> tuple[float, float]:
        """Degrees of freedom and scale of the inverse chi-square of the effect's variance with one seed."""
        own_df = self.design.n_seeds - 1 if self.own_variance is not None else 0
        prior_df = max(min(self.design.df_pooled - own_df, PRIOR_DF), 0.0) if own_df else PRIOR_DF
        own = own_df * self.own_variance if self.own_variance is not None else 0.0
        df = own_df + prior_df
        return df, (own + prior_df * self.design.seed_variance) / df


def with_more_seeds(seen: Seen, claim: Claim, more: int) -> float:
    """Compute the probability that a hypothesis is decided with `more` seeds on top of those that are there.

    Args:
        seen: its effect so far.
        claim: what decides it.
        more: number of seeds, at least 1.
    """
    df, scale = seen.spread
    variance_P = scale / _chi_square(df, 0)
    n, total = seen.design.n_seeds, seen.design.n_seeds + more
    error_P = variance_P / n
    prior = claim.prior_sd(seen.value) ** 2 + seen.design.image_variance
    trust_P = prior / (prior + error_P)
    step_P = (trust_P - 1) * seen.value + np.sqrt(trust_P * error_P + variance_P / more) * _normal()
    value_P = seen.value + more / total * step_P
    squares_P = n * more / total * step_P**2
    if more > 1:
        squares_P = squares_P + variance_P * (more - 1) * _chi_square(more - 1.0, 2)
    if seen.own_variance is not None:
        squares_P = squares_P + (n - 1) * seen.own_variance
    df_pooled = seen.design.df_pooled + more  # at least: those of two arms
    design = replace(seen.design, n_seeds=total, df_pooled=df_pooled, is_seed_sd_assumed=False)
    return claim.decided(value_P, squares_P / (total - 1), np.array([design.seed_variance]), design)


def with_more_examples(seen: Seen, claim: Claim, times: int) -> float:
    """Compute the probability that a hypothesis is decided by `times` as many examples more, with the same seeds.

    Args:
        seen: its effect so far.
        claim: what decides it.
        times: more examples as a multiple of those that are there.
    """
    value_P = seen.value + math.sqrt(seen.design.image_variance * times / (times + 1)) * _normal()
    design = replace(seen.design, image_variance=seen.design.image_variance / (times + 1))
    own = np.array([seen.own_variance if seen.own_variance is not None else 0.0])
    return claim.decided(value_P, own, np.array([design.seed_variance]), design)


@lru_cache(maxsize=512)
def _chi_square(df: float, dimension: int) -> Floats:
    """List values of chi-square / df at the points of one dimension."""
    values: Floats = chi2_upper_quantile(df, _points(dimension)) / df
    return values


@lru_cache(maxsize=1)
def _normal() -> Floats:
    values: Floats = normal_quantile(_points(1))
    return values


def _points(dimension: int) -> Floats:
    """List one coordinate of the points of the additive recurrence in three dimensions, each within (0, 1)."""
    root = 1.2207440846057596  # of x^4 = x + 1
    points: Floats = np.mod(0.5 + np.arange(1, _N_POINTS + 1) * root ** -(dimension + 1.0), 1.0)
    return points
