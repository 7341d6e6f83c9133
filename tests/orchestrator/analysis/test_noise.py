"""A noise floor is the spread that was seen, with its uncertainty, and what it means for two arms."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from orchestrator.analysis.noise import MEAN, measured_floor, noise_view, sd_interval
from orchestrator.analysis.study_scores import StudyScores
from orchestrator.state.ledger import read_ledger
from orchestrator.state.noise_floor import FloorScores, NoiseFloor, read_floor, write_floor
from orchestrator.terminal.noise import noise_table
from tests.support.stored_studies import answers, finish_trial, two_stage_plan
from tests.support.terminal_text import shown
from trainables.storage.store import LocalStore

FLOOR = NoiseFloor(
    "id",
    (7, 8, 9, 10, 11),
    {
        "shape": FloorScores("asked", (98.0, 98.4, 98.6, 98.2, 98.3), 1000, 250),
        "colour": FloorScores("asked", (50.0, 52.0, 49.0, 51.0, 48.0), 1000, 250),
    },
    gpu_seconds=1800.0,
)


def test_interval_of_a_standard_deviation_is_the_one_of_tables() -> None:
    """Quantiles of chi-square with 4 degrees of freedom: 0.4844 and 11.143."""
    assert sd_interval(1.0, 5) == pytest.approx((np.sqrt(4 / 11.143), np.sqrt(4 / 0.4844)), rel=1e-3)


def test_noise_view_has_spread_smallest_effects_cost_and_luck() -> None:
    view = noise_view("s", "base", FLOOR, "core")
    shape, colour, mean = view.rows
    assert shape.sd == pytest.approx(np.std([98.0, 98.4, 98.6, 98.2, 98.3], ddof=1))
    assert mean.benchmark == MEAN
    assert mean.points[1] == pytest.approx((98.4 + 52.0) / 2)
    assert shape.smallest_effects[5] < colour.smallest_effects[5]
    calm = [colour.smallest_effects[n][0] for n in (3, 5, 10)]
    assert calm == sorted(calm, reverse=True)
    assert view.gpu_hours == {2: 2.0, 3: 3.0, 5: 5.0, 10: 10.0}
    assert view.luck == {2: 6, 3: 20, 5: 252, 10: 184_756}


def test_luck_is_how_often_all_seeds_of_one_arm_beat_all_of_an_equal_one() -> None:
    draws = np.random.default_rng(0).normal(size=(60_000, 2, 3))
    share = (draws[:, 1].min(1) > draws[:, 0].max(1)).mean()
    assert share == pytest.approx(1 / noise_view("s", "base", FLOOR, "core").luck[3], rel=0.05)


def test_noise_table_says_what_its_numbers_are() -> None:
    text = shown(lambda console: console.print(noise_table(noise_view("s", "base", FLOOR, "core"))), width=100)
    assert "Noise floor of s: base with 5 seeds (7, 8, 9, 10, 11)" in text
    assert "1 in 252" in text
    assert "core-hours, both arms" in text
    assert "GPU" not in text
    assert all(len(line.rstrip()) <= 100 for line in text.splitlines())


def test_floor_is_measured_from_scores_and_kept(tmp_path: Path) -> None:
    store, plan = LocalStore(tmp_path), two_stage_plan(resolutions=(64,), seeds=(7, 8, 9))
    for trial, accuracy in zip(plan.trials, (0.5, 0.6, 0.7), strict=True):
        scores = {"shape": answers(accuracy), "colour": answers(0.5)}
        finish_trial(store, plan, trial, scores, diverged=trial.seed == 9)
    ledger = read_ledger(plan, store)
    floor = measured_floor(plan, plan.arms[0].id, StudyScores.of(plan, store, ledger), ledger)
    assert (floor.seeds, floor.diverged, floor.gpu_seconds) == ((7, 8), (9,), 20.0)
    assert floor.benchmarks["shape"] == FloorScores("asked", pytest.approx((50.0, 60.0)), 400, 100)
    assert noise_view("s", "base", floor, "core").rows[1].sd_interval is None
    write_floor(store, plan.study, floor)
    assert read_floor(store, plan) == floor
