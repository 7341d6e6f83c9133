"""A price is a range with its odds, its words fit the claim, and followed to the letter it decides."""

from __future__ import annotations

from dataclasses import replace

import pytest

from measurements.decision_price import SETTINGS, simulate
from orchestrator.analysis.assurance import Claim, Seen, with_more_examples, with_more_seeds
from orchestrator.analysis.power import Design
from orchestrator.analysis.price_sentences import price_text
from orchestrator.analysis.study_price import Costs, price

DESIGN = Design(n_seeds=3, df_pooled=10, seed_variance=2.0, image_variance=0.2)
COSTS = Costs(n_examples=1000, gpu_hours_per_seed=2.0, scoring_gpu_hours=0.1)


def test_price_is_a_range_from_even_odds_to_four_in_five() -> None:
    seen, claim = Seen(2.2, 2.0, DESIGN), Claim("differs", None)
    found = price(seen, "better", None, COSTS)
    assert found.even_seeds is not None
    assert found.more_seeds is not None
    assert with_more_seeds(seen, claim, found.even_seeds) >= 0.5
    assert with_more_seeds(seen, claim, found.more_seeds) >= 0.75 > with_more_seeds(seen, claim, found.more_seeds - 1)
    assert found.seeds_gpu_hours == pytest.approx(2 * found.more_seeds)
    low, high = found.even_seeds, found.more_seeds
    assert f"{low} to {high} more seeds of each arm ({2 * low} to {2 * high} GPU-hours)" in price_text(found)
    assert f"would settle which is better: the odds are even with {low}, four in five with {high}" in price_text(found)


def test_equivalence_has_its_own_words() -> None:
    found = price(Seen(0.3, 4.0, DESIGN), "equivalent", 2.0, COSTS)
    assert "whether they are as good within 2 points" in price_text(found)


def test_effect_within_noise_has_no_price() -> None:
    found = price(Seen(0.0, 2.0, replace(DESIGN, image_variance=0.0)), "better", None, COSTS)
    assert (found.more_seeds, found.seeds_gpu_hours, found.limit) == (None, None, "effect")
    assert "the effect is within noise" in price_text(found)


def test_examples_alone_never_settle_a_choice_that_has_one_seed() -> None:
    seen = Seen(3.0, None, Design(1, 0, 2.0, 0.2))
    found = price(seen, "better", None, COSTS, assumed_seed_sd=1.0)
    assert found.more_examples is None
    assert "of each arm" in price_text(found)
    assert "if scores vary over seeds by 1 point," in price_text(found)


def test_images_that_leave_it_open_need_more_examples() -> None:
    seen = Seen(2.2, 0.05, replace(DESIGN, seed_variance=0.05, image_variance=1.5))
    found = price(seen, "better", None, COSTS)
    assert (found.more_seeds, found.limit) == (None, "images")
    assert found.more_examples is not None
    assert with_more_examples(seen, Claim("differs", None), found.more_examples // 1000) >= 0.75
    assert "more seeds alone would not" in price_text(found)


def test_advice_that_is_followed_decides() -> None:
    """200 studies; `python -m measurements.decision_price` has the table."""
    outcome = simulate(SETTINGS[2], n_seeds=3, seed_sd=2.0, unevenness=0.0, studies=200)
    assert len(outcome.advised) > 140
    assert 0.7 <= outcome.decided / len(outcome.advised) <= 0.9
    assert 0.45 <= outcome.decided_even / len(outcome.advised) <= 0.75
