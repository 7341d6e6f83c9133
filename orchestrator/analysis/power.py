"""What a number of seeds and examples can decide, and what would decide more.

Power is that of the rule of `verdicts` as it is applied, with the seeds' spread unknown: own and pooled spread are
drawn (4,000 draws with a fixed seed, the own one being part of the pooled one), each draw gives the distance from which
on both of its intervals agree, and the normal distribution of the estimate around the truth does the rest. The error by
images is taken as known: it has hundreds of degrees of freedom.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal, assert_never

import numpy as np
from scipy import special

from orchestrator.analysis.intervals import OWN_SEEDS, Floats, check_df
from orchestrator.analysis.rule import ALPHA, Statement
from orchestrator.analysis.verdict_model import Price

POWER = 0.8
MOST_SEEDS = 100
MOST_TIMES_EXAMPLES = 100
DEFAULT_SEED_SD = (0.3, 1.0)
"""Standard deviation over seeds of an arm's score, in points, where nothing is known: a range. On the benchmarks of
vision-language models 0.3 is a calm one (VQAv2, GQA), 1.0 a restless one (VizWiz, RefCOCO)."""
_DRAWS = 4000


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
    """Judged together: the first step of Holm's correction is taken for all of them."""
    is_seed_sd_assumed: bool = False
    """With one seed: whether the spread over seeds is declared. If not, only these checkpoints are compared."""

    @property
    def alpha(self) -> float:
        """Level of the first step of Holm's correction."""
        return ALPHA / self.n_hypotheses

    @property
    def error(self) -> float:
        """Standard error of the estimate, as far as its interval is meant to cover it."""
        counts_seeds = self.n_seeds > 1 or self.is_seed_sd_assumed
        return math.sqrt((self.seed_variance / self.n_seeds if counts_seeds else 0.0) + self.image_variance)

    @property
    def tests_recipe(self) -> bool:
        """Whether the choice is tested, and not only these checkpoints."""
        return self.n_seeds > 1 or self.is_seed_sd_assumed


def power(statement: Statement, effect: float, design: Design, margin: float | None = None) -> float:
    """Compute the probability of a verdict: `differs` (to the side of `effect`), `equivalent` or `not-worse`.

    Args:
        effect: true effect in points.
        margin: in points; not None but for `differs`.
    """
    if statement == "differs":
        if design.error == 0:  # nothing varies: every difference is found
            return float(effect != 0)
        return float(np.mean(special.ndtr((abs(effect) - _reach(design, True)) / design.error)))
    assert margin is not None
    room = margin - _reach(design, False)
    upper = special.ndtr((room + effect) / design.error)  # above -margin
    match statement:
        case "not-worse":
            return float(np.mean(upper))
        case "equivalent":
            lower = special.ndtr((room - effect) / design.error)
            return float(np.mean(np.clip(upper + lower - 1, 0, None)))
        case _:
            assert_never(statement)


def smallest_effect(design: Design, at: float = POWER) -> float:
    """Find the smallest true difference, in points, that is decided with this power."""
    return _smallest(lambda effect: power("differs", effect, design), design, at)


def smallest_margin(design: Design, statement: Literal["equivalent", "not-worse"], at: float = POWER) -> float | None:
    """Find the smallest margin, in points, at which two choices that do not differ are shown to be so.

    Args:
        statement: the test.
        at: power, 0 to 1.

    Returns:
        None for single checkpoints.
    """
    if not design.tests_recipe:
        return None
    return _smallest(lambda margin: power(statement, 0.0, design, margin), design, at)


def price(
    effect: float,
    statement: Statement,
    margin: float | None,
    design: Design,
    *,
    seed_sd: float | None = None,
    n_examples: int,
    n_arms: int,
    gpu_hours_per_seed: float | None,
    scoring_gpu_hours: float | None,
) -> Price:
    """Estimate how many more seeds, or more examples, would decide if the truth were what was seen.

    Args:
        effect: that was seen, in points.
        statement: the test that the hypothesis expects.
        margin: of the hypothesis, in points.
        design: of the study as it stands.
        seed_sd: what `design` assumes of the spread over seeds, where there is one seed; only reported.
        n_examples: on the benchmarks together.
        n_arms: arms of the hypothesis, which would get the seeds.
        gpu_hours_per_seed: of one more seed of each of them.
        scoring_gpu_hours: of scoring their trials once on all examples there are.
    """

    def decides(candidate: Design) -> bool:
        absence = statement != "differs" and margin is not None and candidate.tests_recipe
        return power("differs", effect, candidate) >= POWER or (
            absence and power(statement, effect, candidate, margin) >= POWER
        )

    def with_seeds(more: int) -> Design:
        seeds = design.n_seeds + more
        df = max(design.df_pooled + (n_arms - 1) * more, seeds - 1)
        return replace(design, n_seeds=seeds, df_pooled=df, is_seed_sd_assumed=False)

    def with_examples(times: int) -> Design:
        return replace(design, image_variance=design.image_variance / (times + 1))

    seeds = _fewest(lambda more: decides(with_seeds(more)), MOST_SEEDS)
    times = _fewest(lambda more: decides(with_examples(more)), MOST_TIMES_EXAMPLES)
    return Price(
        more_seeds=seeds,
        seeds_gpu_hours=seeds * gpu_hours_per_seed if seeds is not None and gpu_hours_per_seed is not None else None,
        more_examples=times * n_examples if times is not None else None,
        examples_gpu_hours=times * scoring_gpu_hours if times is not None and scoring_gpu_hours is not None else None,
        assumed_seed_sd=seed_sd,
    )


@lru_cache(maxsize=512)
def _reach(design: Design, two_sided: bool) -> Floats:
    """Compute for each draw how far an estimate must lie from a bound to be judged beyond it."""
    sides = 2 if two_sided else 1
    tail = 1 - design.alpha / sides
    n = design.n_seeds
    if n == 1:
        return np.array([float(special.ndtri(tail)) * design.error])
    random = np.random.default_rng(0)
    own = random.chisquare(n - 1, _DRAWS)
    df_pooled = max(design.df_pooled, n - 1)
    rest = df_pooled - (n - 1)
    pooled = (own + random.chisquare(rest, _DRAWS)) / df_pooled if rest > 0 else own / (n - 1)
    ratios = [(pooled, df_pooled), (own / (n - 1), float(n - 1))]
    if n >= OWN_SEEDS:
        ratios.reverse()
    (main, df), (check, _) = ratios
    confirming = _half_width(check, check_df(n, df_pooled), 1 - ALPHA / sides, design)  # not Holm's business
    return np.maximum(_half_width(main, df, tail, design), confirming)


def _half_width(ratio: Floats, df: float, tail: float, design: Design) -> Floats:
    """Compute the half-width of an interval whose estimate of the seeds' variance is `ratio` times the truth."""
    seeds = design.seed_variance / design.n_seeds * ratio
    variance = seeds + design.image_variance
    share = seeds**2 / df
    total_df = np.where(share > 0, variance**2 / np.where(share > 0, share, 1.0), 1e9)
    half_width: Floats = special.stdtrit(np.minimum(total_df, 1e9), tail) * np.sqrt(variance)
    return half_width


def _smallest(power_at: Callable[[float], float], design: Design, at: float) -> float:
    low, high = 0.0, max(design.error, 1e-9)
    while power_at(high) < at:
        low, high = high, 2 * high
    for _ in range(20):
        middle = (low + high) / 2
        low, high = (low, middle) if power_at(middle) >= at else (middle, high)
    return high


def _fewest(decides: Callable[[int], bool], most: int) -> int | None:
    """Find the smallest number from 1 to `most` that decides; more never decides less."""
    if not decides(most):
        return None
    low, high = 0, most
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if decides(middle) else (middle, high)
    return high
