"""Main effects and interactions: what a design can say of its axes, and how surely."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from orchestrator.analysis.factors import factors

BASE = {"resize": "letterbox", "epochs": "1"}


def _grid(interaction: float) -> list[tuple[dict[str, str], int, float]]:
    rng = np.random.default_rng(0)
    rows = []
    for resize, epochs, seed in itertools.product(("letterbox", "naive"), ("1", "2"), (7, 8, 9)):
        a, b = resize == "naive", epochs == "2"
        score = 50 + 2 * a - 3 * b + interaction * a * b + seed + rng.normal(0, 0.05)
        rows.append(({"resize": resize, "epochs": epochs}, seed, score))
    return rows


def test_grid_shows_main_effects_averaged_over_the_other_axis_and_the_interaction() -> None:
    found = factors(_grid(interaction=4.0), BASE)
    effects = {one.term: one for one in found.factors}
    assert effects["resize=naive"].effect == pytest.approx(4.0, abs=0.1)
    assert effects["epochs=2"].effect == pytest.approx(-1.0, abs=0.1)
    assert effects["resize=naive x epochs=2"].effect == pytest.approx(4.0, abs=0.2)
    low, high = effects["resize=naive"].interval
    assert low < 4.0 < high < 4.3
    assert (found.unknown, found.df) == ((), 12 - 3 - 3)


def test_one_axis_at_a_time_cannot_see_interactions_and_says_so() -> None:
    rows = [row for row in _grid(4.0) if "2" not in row[0].values() or "naive" not in row[0].values()]
    found = factors(rows, BASE)
    assert {one.term for one in found.factors} == {"resize=naive", "epochs=2"}
    assert "no two axes are crossed" in found.unknown[0]
    assert {one.term: round(one.effect) for one in found.factors} == {"resize=naive": 2, "epochs=2": -3}


def test_axes_that_vary_together_cannot_be_told_apart() -> None:
    rows = [row for row in _grid(0.0) if (row[0]["resize"] == "naive") == (row[0]["epochs"] == "2")]
    assert "cannot be told apart" in factors(rows, BASE).unknown[0]


def test_single_seed_leaves_no_noise_to_estimate() -> None:
    found = factors([row for row in _grid(0.0) if row[1] == 7][:3], BASE)
    assert found.factors == ()
    assert "add seeds" in found.unknown[-1]


STATSMODELS = {
    "resize=naive": (2.06737950733025, 1.725976258297539, 2.408782756362961, 2.4747692127177634e-07),
    "resize=crop": (-1.4107257950544054, -1.7740298332213145, -1.0474217568875963, 1.0409997401238205e-05),
    "epochs=2": (1.963553867802321, 1.6737248974501309, 2.2533828381545113, 9.359099468010084e-08),
    "resize=naive x epochs=2": (1.5750878738074983, 0.8934596449514258, 2.256716102663571, 0.0005438580226475684),
    "resize=crop x epochs=2": (0.5922157189836593, -0.13874912198305023, 1.323180559950369, 0.10005566052738583),
}
"""Effect, 95 % interval and p of `OLS(...).fit()` of statsmodels 0.14 on the rows of `_unbalanced`."""


def _unbalanced() -> list[tuple[dict[str, str], int, float]]:
    """Three by two values with three seeds, one trial of which is missing."""
    random = np.random.default_rng(20)
    added = {"letterbox": 0.0, "naive": 2.0, "crop": -1.0}
    rows = []
    for resize, epochs, seed in itertools.product(added, ("1", "2"), (7, 8, 9)):
        if (resize, epochs, seed) != ("crop", "2", 9):
            both = 0.8 if (resize, epochs) == ("naive", "2") else 0.0
            score = 60 + added[resize] + (1.5 if epochs == "2" else 0.0) + both + 0.3 * (seed - 8)
            rows.append(({"resize": resize, "epochs": epochs}, seed, score + random.normal(0, 0.4)))
    return rows


def test_fit_is_that_of_statsmodels() -> None:
    found = {one.term: (one.effect, *one.interval, one.p) for one in factors(_unbalanced(), BASE).factors}
    assert found.keys() == STATSMODELS.keys()
    for term, numbers in found.items():
        assert numbers == pytest.approx(STATSMODELS[term], rel=1e-12, abs=1e-12)
