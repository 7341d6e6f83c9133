"""Verdicts on simulated studies err as seldom as they say; `python -m measurements.verdict_coverage` has the grid."""

from __future__ import annotations

import pytest

from measurements.verdict_coverage import Setting, simulate

STUDIES = 120


@pytest.mark.parametrize(
    "setting",
    [
        Setting("two seeds", n_seeds=2),
        Setting("three seeds", n_seeds=3),
        Setting("an arm six times as noisy", n_seeds=2, spread_of_first=6.0),
        Setting("images of Zipf's sizes", n_seeds=3, sizes=("zipf 40",)),
        Setting("a small benchmark with one large image", n_seeds=3, sizes=("even 20x5", "8 images, one huge")),
        Setting("hardly anything wrong", 0.985, n_seeds=3, seed_sd=0.2),
    ],
    ids=lambda setting: setting.name,
)
def test_intervals_cover_and_families_claim_no_difference_of_equal_arms(setting: Setting) -> None:
    counts = simulate(setting, STUDIES)
    assert counts.covered / counts.intervals >= 0.93
    assert counts.false_differences / counts.studies <= 0.10
    assert counts.wrong_signs == 0


def test_true_equivalences_are_not_called_differences() -> None:
    setting = Setting("ten", n_seeds=5, n_hypotheses=10, sizes=("even 20x5",), expect="equivalent", margin=25.0)
    counts = simulate(setting, 60)
    assert counts.false_differences / counts.studies <= 0.12
    assert counts.false_absences == 0


def test_three_seeds_find_what_a_paired_t_test_finds_where_only_seeds_matter() -> None:
    setting = Setting("power", n_seeds=3, n_hypotheses=1, effect=9.0, seed_sd=3.0, arms_differ=False)
    counts = simulate(setting, STUDIES)
    assert counts.uncorrected >= counts.plain_shown - 0.04 * STUDIES
