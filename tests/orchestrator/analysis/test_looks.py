"""Sequential p values hold their level over all looks at growing data, with published bounds where looks are even."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from scipy import special, stats

from orchestrator.analysis.looks import Looks
from search_spaces.study import Spending


def _looks(sizes: Sequence[int], last: int, spending: Spending = "obrien-fleming", *, is_declared: bool) -> Looks:
    """Looks of growing size, each of which holds the seeds of the one before."""
    return Looks.of([range(size) for size in sizes], last, spending, is_declared=is_declared)


@pytest.mark.parametrize(
    ("spending", "bounds"),
    [
        ("obrien-fleming", [4.8769, 3.3569, 2.6803, 2.2898, 2.0310]),
        ("pocock", [2.4380, 2.4268, 2.4101, 2.3966, 2.3859]),
    ],
)
def test_five_even_looks_have_the_published_bounds(spending: Spending, bounds: list[float]) -> None:
    """Two-sided alpha .05 spent at fractions .2 to 1 by their functions (Jennison & Turnbull 2000, chapter 7)."""
    sizes = [10_000, 20_000, 30_000, 40_000, 50_000]
    levels = [_looks(sizes[:k], 50_000, spending, is_declared=True).level(0.05) for k in range(1, 6)]
    assert -special.ndtri(np.array(levels) / 2) == pytest.approx(bounds, abs=3e-4)


def test_a_single_look_at_all_planned_seeds_keeps_its_p() -> None:
    look = _looks([3], 3, is_declared=False)
    assert look.two_sided_p(0.04) == 0.04
    assert look.level(0.05) == 0.05
    assert _looks([2], 5, is_declared=False).two_sided_p(0.04) > 0.2


@pytest.mark.parametrize("sizes", [[2, 3], [2, 10], [3, 5, 6, 10], [2, 3, 4, 5, 6, 7, 8]])
def test_p_at_the_nominal_level_is_alpha(sizes: list[int]) -> None:
    looks = _looks(sizes, sizes[0], is_declared=False)
    for alpha in (0.05, 0.01, 0.001):
        assert looks.two_sided_p(looks.level(alpha)) == pytest.approx(alpha, rel=3e-3)
    p_values = [looks.two_sided_p(p) for p in (0.0, 1e-6, 1e-3, 0.01, 0.05, 0.5, 1.0)]
    assert p_values == sorted(p_values)
    assert all(0 <= p <= 1 for p in p_values)


def test_looks_at_other_numbers_than_declared_spend_by_the_fraction_they_reach() -> None:
    assert _looks([4], 10, is_declared=True).level(0.05) == pytest.approx(0.00079, rel=0.02)
    assert _looks([12], 10, is_declared=True).level(0.05) == 0.05
    skipped, both = _looks([3, 10], 10, is_declared=True), _looks([3, 5, 10], 10, is_declared=True)
    assert skipped.level(0.05) > both.level(0.05)


def test_after_the_last_declared_look_nothing_is_left() -> None:
    looks = _looks([5, 10, 15], 10, is_declared=True)
    assert looks.is_used_up
    assert looks.two_sided_p(1e-9) == 1.0


def test_other_seeds_or_other_scores_are_looks_of_their_own() -> None:
    grown = Looks.of([(1, 2, 3), (1, 2, 3, 4)], 3, is_declared=False)
    swapped = Looks.of([(1, 2, 3), (1, 2, 4)], 3, is_declared=False)
    rescored = Looks.of([(1, 2, 3), (1, 2, 3)], 3, is_declared=False)
    assert grown.clocks == swapped.clocks == rescored.clocks == (3, 4)
    assert swapped.level(0.05) == rescored.level(0.05) == pytest.approx(0.05 * 0.05 * (1 - 3 / 4))
    assert grown.level(0.05) > swapped.level(0.05)


@pytest.mark.parametrize("image_variance", [0.0, 0.3, 3.0])
@pytest.mark.parametrize(
    ("sizes", "last", "is_declared", "limit"),
    [
        (range(3, 11), 3, False, 0.0525),
        (range(5, 21), 5, False, 0.0525),
        ((3, 5, 10), 10, True, 0.051),
        (range(3, 11), 10, True, 0.05),
    ],
)
def test_a_seed_more_until_decided_makes_no_more_false_claims_than_alpha(
    image_variance: float, sizes: Sequence[int], last: int, is_declared: bool, limit: float
) -> None:
    """20,000 null effects with a common part of images; the p of a look is that of a t test, exact given the images."""
    draws = np.random.default_rng(11)
    seeds = draws.normal(size=(20_000, max(sizes)))
    images = draws.normal(size=20_000) * np.sqrt(image_variance)
    is_claimed = np.zeros(20_000, dtype=bool)
    is_claimed_by_fixed = is_claimed.copy()
    for k, size in enumerate(sizes):
        error = np.sqrt(seeds[:, :size].var(1, ddof=1) / size)
        if image_variance == 0:
            p = 2 * stats.t.sf(abs(seeds[:, :size].mean(1)) / error, size - 1)
        else:
            p = 2 * stats.norm.sf(abs(seeds[:, :size].mean(1) + images) / np.sqrt(1 / size + image_variance))
        level = _looks(list(sizes)[: k + 1], last, is_declared=is_declared).level(0.05)
        is_claimed |= p <= level
        is_claimed_by_fixed |= p <= 0.05
    noise = 2 * np.sqrt(0.05 * 0.95 / 20_000)
    assert is_claimed.mean() < limit + noise
    assert is_claimed_by_fixed.mean() > 0.06
