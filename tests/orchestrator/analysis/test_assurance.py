"""Assurance is the share of studies that are decided once the seeds are there."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from orchestrator.analysis.assurance import Claim, Seen, with_more_examples, with_more_seeds
from orchestrator.analysis.power import Design

DESIGN = Design(n_seeds=3, df_pooled=2, seed_variance=2.0, image_variance=0.2)


def _simulated(seen: Seen, claim: Claim, more: int, studies: int = 20_000) -> float:
    """Draw spread, effect and further seeds one study at a time, as the model says, and judge all seeds together."""
    rng = np.random.default_rng(0)
    n = seen.design.n_seeds
    first = np.linspace(-1, 1, n)
    first = seen.value + first / first.std(ddof=1) * np.sqrt(seen.own_variance or 0.0)
    variance = (n - 1) * (seen.own_variance or 0.0) / rng.chisquare(n - 1, studies)
    prior = claim.prior_sd(seen.value) ** 2 + seen.design.image_variance
    trust = prior / (prior + variance / n)
    effect = rng.normal(trust * seen.value, np.sqrt(trust * variance / n))
    later = rng.normal(effect[:, None], np.sqrt(variance)[:, None], (studies, more))
    seeds = np.concatenate([np.broadcast_to(first, (studies, n)), later], axis=1)
    design = replace(seen.design, n_seeds=n + more)
    return claim.decided(seeds.mean(1), seeds.var(1, ddof=1), np.zeros(studies), design)


@pytest.mark.parametrize("more", [1, 4, 30])
def test_assurance_is_that_of_a_simulation_of_its_model(more: int) -> None:
    seen, claim = Seen(1.2, 1.5, DESIGN), Claim("differs", None)
    assert with_more_seeds(seen, claim, more) == pytest.approx(_simulated(seen, claim, more), abs=0.015)


def test_prior_does_not_explain_a_large_effect_away() -> None:
    assert Claim("differs", None).prior_sd(2.0) == 5.0
    assert Claim("differs", None).prior_sd(-40.0) == 40.0
    assert Claim("equivalent", 3.0).prior_sd(1.0) == 1.5
    assert Claim("equivalent", 3.0).prior_sd(12.0) == 6.0


def test_more_seeds_decide_more_often_up_to_what_images_allow() -> None:
    seen = Seen(1.2, 1.5, DESIGN)
    odds = [with_more_seeds(seen, Claim("differs", None), more) for more in (2, 5, 20, 80)]
    assert odds == sorted(odds)
    blurred = replace(seen, design=replace(DESIGN, image_variance=4.0))
    assert with_more_seeds(blurred, Claim("differs", None), 100) < 0.05


def test_equivalence_is_decided_by_the_test_of_the_margin() -> None:
    seen = Seen(0.2, 1.5, DESIGN)
    assert with_more_seeds(seen, Claim("differs", None), 30) < 0.3
    assert with_more_seeds(seen, Claim("equivalent", 3.0), 30) > 0.95


def test_more_examples_help_where_images_are_the_noise() -> None:
    blurred = Seen(2.0, 0.01, replace(DESIGN, image_variance=2.0))
    few, many = (with_more_examples(blurred, Claim("differs", None), times) for times in (1, 50))
    assert few < many
    assert many > 0.8
    restless = Seen(2.0, 9.0, replace(DESIGN, image_variance=0.01))
    assert with_more_examples(restless, Claim("differs", None), 100) < 0.05


def test_single_seed_is_priced_from_an_assumed_spread() -> None:
    seen = Seen(3.0, None, Design(1, 0, 2.0, 0.2))
    assert with_more_seeds(seen, Claim("differs", None), 1) < with_more_seeds(seen, Claim("differs", None), 10)
    assert seen.spread == (4.0, 2.0)
