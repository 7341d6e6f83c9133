"""Predicted power is that of the rule, and more of anything never decides less."""

from __future__ import annotations

from dataclasses import replace

import pytest

from measurements.verdict_coverage import Setting, simulate
from orchestrator.analysis.power import Design, power, price, smallest_effect, smallest_margin

DESIGN = Design(n_seeds=3, df_pooled=10, seed_variance=0.5, image_variance=0.2)


def test_smallest_effect_is_found_with_the_power_asked_for() -> None:
    assert power("differs", smallest_effect(DESIGN), DESIGN) == pytest.approx(0.8, abs=1e-3)
    margin = smallest_margin(DESIGN, "equivalent")
    assert margin is not None
    assert power("equivalent", 0.0, DESIGN, margin) == pytest.approx(0.8, abs=1e-3)


def test_no_effect_is_found_no_more_often_than_alpha() -> None:
    assert power("differs", 0.0, DESIGN) <= 0.025 + 1e-3


def test_more_hypotheses_and_less_noise_move_the_smallest_effect() -> None:
    smallest = smallest_effect(DESIGN)
    assert smallest_effect(replace(DESIGN, n_hypotheses=5)) > smallest
    assert smallest_effect(replace(DESIGN, image_variance=0.05)) < smallest
    assert smallest_effect(replace(DESIGN, n_seeds=10, df_pooled=45)) < smallest


def test_single_checkpoints_have_no_margin() -> None:
    assert smallest_margin(Design(1, 0, 0.5, 0.2), "equivalent") is None
    assert smallest_margin(Design(1, 0, 0.5, 0.2, is_seed_sd_assumed=True), "equivalent") is not None


def test_price_names_seeds_that_decide_and_their_cost() -> None:
    effect = 0.8 * smallest_effect(DESIGN)
    found = price(
        effect, "differs", None, DESIGN, n_examples=1000, n_arms=2, gpu_hours_per_seed=2.0, scoring_gpu_hours=0.1
    )
    assert found.more_seeds is not None
    assert found.seeds_gpu_hours == pytest.approx(2 * found.more_seeds)
    more = replace(DESIGN, n_seeds=3 + found.more_seeds, df_pooled=10 + found.more_seeds)
    assert power("differs", effect, more) >= 0.8


def test_price_of_an_effect_of_nothing_is_none() -> None:
    found = price(0.0, "differs", None, DESIGN, n_examples=9, n_arms=2, gpu_hours_per_seed=None, scoring_gpu_hours=None)
    assert (found.more_seeds, found.more_examples, found.seeds_gpu_hours) == (None, None, None)


@pytest.mark.parametrize("n_seeds", [2, 5])
def test_some_simulated_studies_keep_coverage_false_claims_and_predicted_power(n_seeds: int) -> None:
    """150 studies for each; `python -m measurements.verdict_coverage` has 2,000."""
    null = simulate(Setting(n_seeds, 0.2, 1.0), 150)
    assert 0.91 <= null.covered / null.contrasts <= 0.985
    assert null.false_families / null.studies <= 0.11
    setting = Setting(n_seeds, 0.2, 1.0)
    planted = replace(setting, effect=smallest_effect(setting.design))
    outcome = simulate(planted, 150, seed=1)
    assert outcome.detected / outcome.studies == pytest.approx(0.8, abs=0.11)
