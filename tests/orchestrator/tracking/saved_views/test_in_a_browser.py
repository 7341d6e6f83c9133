"""A saved view shows its runs and charts in a real browser."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.tracking.mlflow_connect import open_tracker
from orchestrator.tracking.sync import sync_study
from tests.support.screenshots import screenshot
from tests.support.small_plans import with_axis
from tests.support.spools import write_steps
from tests.support.stored_studies import answers, fail_trial, finish_trial, study_of, two_stage_plan
from trainables.storage import layout
from trainables.storage.spool import Spool
from trainables.storage.store import LocalStore

STUDY = with_axis(two_stage_plan(resolutions=(64, 32, 16), seeds=(7, 8)), "vision.resize", "letterbox")
FAILED = "r16-s8"


def write_study(store: LocalStore) -> None:
    """Five trials that have finished, and one that has failed."""
    for number, trial in enumerate(STUDY.trials):
        spool = Spool(store, layout.spool(STUDY.study, trial.id))
        spool.write(status="RUNNING")
        write_steps(spool, range(1, 11))
        if trial.id == FAILED:
            fail_trial(store, STUDY, trial, "CUDA is gone")
            continue
        accuracy = {"shape": 0.9 - 0.05 * number, "colour": 0.5}
        scores = {name: answers(share, seed=number) for name, share in accuracy.items()}
        finish_trial(store, STUDY, trial, scores)
        values = {f"eval/{name}/points": 100 * float(each.mean()) for name, each in scores.items()}
        values |= {"eval/mean": sum(values.values()) / 2, "cost/gpu_seconds": 14.0, "cost/gpu_seconds_alone": 20.0}
        spool.write(step=0, metrics=values)
        spool.write(status="FINISHED")


@pytest.fixture
def chromium() -> str:
    found: str | None = screenshot.find_chromium()
    return found or pytest.skip("no Chromium is installed (Debian: apt-get install chromium)")


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    storage = tmp_path_factory.mktemp("storage")
    store = LocalStore(storage)
    write_study(store)
    sync_study(study_of(), STUDY, store, open_tracker(None, storage))
    return storage


@pytest.fixture(scope="module")
def server(storage: Path) -> Iterator[str]:
    with screenshot.served(storage / layout.TRACKING_DATABASE) as address:
        yield address


VIEWS = {
    "1-leaderboard": (["base s7", "resolution=32px s8", "base (mean)", "eval/mean", "arm/mean", "letterbox"], 9, 9),
    "2-parallel": (["cfg/resolution", "eval/mean", "letterbox", "base s8"], 1, 6),
    "3-cost": (["Cost in core-seconds", "cost/gpu_seconds_alone", "cost/wall_seconds", "eval/mean", "base s7"], 6, 6),
    "4-curves": (["train/loss", "Step", "resolution=16px s7"], 1, 6),
    "5-groups": (["Group: base", "Group: resolution=32px", "eval/shape/points", "eval/colour/points"], 6, 6),
    "6-failures": (["resolution=16px s8", "CUDA is gone", "lost"], 0, 1),
    "7-difference": (["base (mean)", "resolution=16px (mean)", "arm/shape", "Compare by"], 0, 3),
    "8-arms": (["resolution=32px (mean)", "arm/mean_low", "arm/mean_high", "arm/seeds"], 0, 3),
}
"""Texts of the page and its charts, at least so many drawn layers of charts, and so many runs."""


@pytest.mark.browser
@pytest.mark.parametrize("view", VIEWS)
def test_a_saved_view_opens_by_its_link_in_a_fresh_browser(view: str, server: str, chromium: str) -> None:
    texts, charts, runs = VIEWS[view]
    url = screenshot.saved_views(server, "small")[view]
    matching = f"{runs} matching {'run' if runs == 1 else 'runs'}"
    shown = asyncio.run(screenshot.show(chromium, url, [*texts, matching], height=1800))
    assert shown.charts >= charts
    assert "Does resolution help?" in shown.text
    assert shown.png.startswith(b"\x89PNG")
