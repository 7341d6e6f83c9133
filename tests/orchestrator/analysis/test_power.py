"""Predicted power is that of the rule, and more of anything never decides less."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import special

from orchestrator.analysis.intervals import Interval, Part, Spread
from orchestrator.analysis.power import Design, fewest_seeds, power, reach, smallest_effect, smallest_margin
from orchestrator.analysis.seed_spread import BOUND, bound_share

DESIGN = Design(n_seeds=3, df_pooled=10, seed_variance=0.5, image_variance=0.2)


def test_smallest_effect_is_found_with_the_power_asked_for() -> None:
    assert power("differs", smallest_effect(DESIGN), DESIGN) == pytest.approx(0.8, abs=1e-3)
    margin = smallest_margin(DESIGN, "equivalent")
    assert margin is not None
    assert power("equivalent", 0.0, DESIGN, margin) == pytest.approx(0.8, abs=1e-3)


def test_no_effect_is_found_no_more_often_than_alpha() -> None:
    for image_variance in (0.02, 0.2, 1.0):
        assert power("differs", 0.0, replace(DESIGN, image_variance=image_variance)) <= 0.0265
    assert power("differs", 0.0, replace(DESIGN, n_seeds=6, image_variance=0.0)) == pytest.approx(0.025, abs=1e-3)


def test_more_hypotheses_and_less_noise_move_the_smallest_effect() -> None:
    smallest = smallest_effect(DESIGN)
    assert smallest_effect(replace(DESIGN, n_hypotheses=5)) > smallest
    assert smallest_effect(replace(DESIGN, image_variance=1.0)) > smallest
    assert smallest_effect(replace(DESIGN, n_seeds=10, df_pooled=45)) < smallest


def test_single_checkpoints_have_no_margin() -> None:
    assert smallest_margin(Design(1, 0, 0.5, 0.2), "equivalent") is None
    assert smallest_margin(Design(1, 0, 0.5, 0.2, is_seed_sd_assumed=True), "equivalent") is not None


@pytest.mark.parametrize("n_hypotheses", [1, 5, 20])
@pytest.mark.parametrize("image_variance", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("n_arms", [2, 6, 20])
def test_more_seeds_never_decide_less(n_hypotheses: int, image_variance: float, n_arms: int) -> None:
    def design(n: int) -> Design:
        return Design(n, (n_arms - 1) * (n - 1), 2.0, image_variance, n_hypotheses)

    smallest = [smallest_effect(design(n)) for n in range(2, 11)]
    assert smallest == sorted(smallest, reverse=True)
    margins = [smallest_margin(design(n), "equivalent") or 0.0 for n in range(2, 11)]
    assert margins == sorted(margins, reverse=True)


def test_power_of_three_seeds_is_that_of_a_t_test() -> None:
    """Non-central t with 2 degrees of freedom, where only seeds vary."""
    design = Design(n_seeds=3, df_pooled=2, seed_variance=2.0, image_variance=0.0)
    quantile, noncentrality = special.stdtrit(2, 0.975), 5.0 / np.sqrt(2 / 3)
    assert power("differs", 5.0, design) == pytest.approx(1 - special.nctdtr(2, noncentrality, quantile), abs=2e-3)


def test_reach_is_the_half_width_of_the_interval_by_which_verdicts_are_reached() -> None:
    for n_seeds, df_pooled in ((2, 1), (2, 10), (3, 10), (4, 30), (7, 30)):
        design = Design(n_seeds, df_pooled, 2.0, 0.4, n_hypotheses=3)
        own, pooled, images = Part(1.7 / n_seeds, n_seeds - 1), Part(2.3 / n_seeds, df_pooled), Part(0.4, math.inf)
        share = bound_share(n_seeds) if df_pooled > n_seeds - 1 else 0.0
        spreads = [Spread((own, images), 1 - share)]
        if share:
            spreads.append(Spread((Part(BOUND**2 * pooled.variance, df_pooled), images), share))
        interval = Interval(1.0, tuple(spreads), level=1 - 0.05 / 3)
        found = reach(np.array([1.7]), np.array([2.3]), design, True)
        assert found == pytest.approx(interval.half_width)


def test_fewest_seeds_decide_and_one_less_does_not() -> None:
    def design(n: int) -> Design:
        return replace(DESIGN, n_seeds=n, df_pooled=n - 1)

    n = fewest_seeds(design, lambda candidate: power("differs", 1.7, candidate) >= 0.8)
    assert n is not None
    assert power("differs", 1.7, design(n)) >= 0.8 > power("differs", 1.7, design(n - 1))
    assert fewest_seeds(design, lambda candidate: power("differs", 0.1, candidate) >= 0.8) is None
