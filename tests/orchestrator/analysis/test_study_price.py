"""A price is a range with its odds, its words fit the claim, and followed to the letter it decides."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

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
    assert with_more_seeds(seen, claim, found.more_seeds) >= 0.8 > with_more_seeds(seen, claim, found.more_seeds - 1)
    assert found.seeds_gpu_hours == pytest.approx(2 * found.more_seeds)
    low, high = found.even_seeds, found.more_seeds
    assert f"{low} to {high} more seeds of each arm ({2 * low} to {2 * high} GPU-hours)" in price_text(found)
    assert "which is better, with even odds for the lower number" in price_text(found)


def test_equivalence_has_its_own_words() -> None:
    found = price(Seen(0.3, 4.0, DESIGN), "equivalent", 2.0, COSTS)
    assert "whether they are as good within 2 points" in price_text(found)


def test_effect_within_noise_has_no_price() -> None:
    found = price(Seen(0.0, 2.0, replace(DESIGN, image_variance=0.0)), "better", None, COSTS)
    assert (found.more_seeds, found.seeds_gpu_hours, found.limit) == (None, None, "effect")
    assert "the effect is within noise" in price_text(found)


def test_images_that_leave_it_open_need_more_examples() -> None:
    seen = Seen(2.5, 0.05, replace(DESIGN, seed_variance=0.05, image_variance=1.5))
    found = price(seen, "better", None, COSTS)
    assert (found.more_seeds, found.limit) == (None, "images")
    assert found.more_examples is not None
    assert with_more_examples(seen, Claim("differs", None), found.more_examples // 1000) >= 0.8
    assert "more seeds alone would not" in price_text(found)


def test_advice_that_is_followed_decides() -> None:
    """150 undecided studies; `python -m measurements.decision_price` has the table."""
    rng, advised, decided = np.random.default_rng(0), 0, 0
    claim = Claim("equivalent", 3.0)
    while advised < 150:
        seeds = rng.normal(rng.normal(0, 1.5), 2.8, 60)
        design = Design(n_seeds=3, df_pooled=10, seed_variance=8 * rng.chisquare(10) / 10, image_variance=0.1)
        seen = Seen(float(seeds[:3].mean()), float(seeds[:3].var(ddof=1)), design)
        if claim.decided(np.array([seen.value]), np.array([seen.own_variance]), np.zeros(1), design):
            continue
        more = price(seen, "equivalent", 3.0, COSTS).more_seeds
        if more is None or more > 57:
            continue
        then = seeds[: 3 + more]
        advised += 1
        decided += bool(
            claim.decided(then.mean()[None], then.var(ddof=1)[None], np.zeros(1), replace(design, n_seeds=3 + more))
        )
    assert 0.72 <= decided / advised <= 0.92
