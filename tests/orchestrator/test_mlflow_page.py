"""What a person sees in MLflow after a study: its page in a real browser, and an outage of its server."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from mlflow import MlflowClient
from small_plans import small_plan

from orchestrator.replay import sync_study
from orchestrator.tracking import open_tracker
from orchestrator.uploader import Uploader
from trainables import layout
from trainables.records import Spool
from trainables.store import LocalStore, put_json

PLAN = small_plan(resolutions=(64, 32), seeds=(7, 8))


def load_screenshot() -> ModuleType:
    path = Path(__file__).parents[2] / "docs" / "screenshot.py"
    spec = importlib.util.spec_from_file_location("screenshot", path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules["screenshot"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


screenshot = load_screenshot()


def write_steps(spool: Spool, steps: range) -> None:
    for step in steps:
        spool.write(step=step, metrics={"train/loss": 1 / step})


def write_spools(store: LocalStore) -> None:
    for index, trial in enumerate(PLAN.trials):
        spool = Spool(store.path(layout.spool(PLAN.study, trial.id)))
        write_steps(spool, range(1, 11))
        spool.write(metrics={"eval/shapes/accuracy": 70.0 + index, "cost/gpu_seconds": 12.5})
        spool.write(status="FINISHED")
        result = {"trial": trial.id, "stages": [], "evaluations": {}, "diverged": False, "cost": {}}
        put_json(store, layout.trial_result(PLAN.study, trial.id), result)


@pytest.fixture
def chromium() -> str:
    found: str | None = screenshot.find_chromium()
    if found is None:
        reason = "no Chromium is installed (Debian: apt-get install chromium)"
        if "CI" in os.environ:
            pytest.fail(reason)
        pytest.skip(reason)
    return found


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    storage = tmp_path_factory.mktemp("storage")
    store = LocalStore(storage)
    write_spools(store)
    sync_study(PLAN, store, open_tracker(None, storage))
    return storage


@pytest.fixture(scope="module")
def server(storage: Path) -> Iterator[str]:
    with screenshot.served(storage / layout.TRACKING_DATABASE) as address:
        yield address


@pytest.mark.browser
def test_page_of_a_study_lists_its_trials_and_its_question(server: str, chromium: str) -> None:
    texts = ["base s7", "base s8", "resolution=32px s7", "resolution=32px s8", "4 matching runs"]
    shown = asyncio.run(screenshot.show(chromium, screenshot.study_page(server, "small"), texts))
    assert "Does resolution help?" in shown.text
    assert shown.png.startswith(b"\x89PNG")


@pytest.mark.browser
def test_charts_of_a_study_show_its_metrics(server: str, chromium: str) -> None:
    metrics = ["train/loss", "eval/shapes/accuracy", "cost/gpu_seconds", "cfg/resolution"]
    url = screenshot.study_page(server, "small", charts=True)
    asyncio.run(screenshot.show(chromium, url, [*metrics, "resolution=32px s7"], height=3000))


@pytest.mark.slow
def test_outage_of_a_server_loses_nothing_and_doubles_nothing(tmp_path: Path) -> None:
    store, database = LocalStore(tmp_path), tmp_path / "server.db"
    spool = Spool(store.path(layout.spool(PLAN.study, "r64-s7")))
    notices: list[str] = []
    with screenshot.served(database) as address:
        tracker = open_tracker(address, tmp_path)
        uploader = Uploader(tracker, store, PLAN, notice=notices.append).start()
        write_steps(spool, range(1, 6))
        assert uploader.drain(120)

    write_steps(spool, range(6, 11))
    assert not uploader.drain(5)

    with screenshot.served(database, port=int(address.rpartition(":")[2])):
        write_steps(spool, range(11, 16))
        assert uploader.drain(120)
        assert uploader.stop("FINISHED")
        client = MlflowClient(address)
        experiment = client.get_experiment_by_name("small").experiment_id
        (run,) = client.search_runs([experiment], "tags.`ablate.trial` = 'r64-s7'")
        history = client.get_metric_history(run.info.run_id, "train/loss")

    assert [metric.step for metric in history] == list(range(1, 16))
    assert ["away" in notice for notice in notices] == [True, False]
