"""An outage of a real tracking server loses nothing and doubles nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from mlflow import MlflowClient

from orchestrator.tracking.mlflow_connect import open_tracker
from orchestrator.tracking.uploader import Uploader
from tests.support.screenshots import screenshot
from tests.support.small_plans import small_plan
from tests.support.spools import write_steps
from tests.support.stored_studies import study_of
from trainables.storage import layout
from trainables.storage.spool import Spool
from trainables.storage.store import LocalStore

PLAN = small_plan(resolutions=(64, 32), seeds=(7, 8))


@pytest.mark.slow
def test_outage_of_a_server_loses_nothing_and_doubles_nothing(tmp_path: Path) -> None:
    store, database = LocalStore(tmp_path), tmp_path / "server.db"
    spool = Spool(store, layout.spool(PLAN.study, "r64-s7"))
    notices: list[str] = []
    with screenshot.served(database) as address:
        tracker = open_tracker(address, tmp_path)
        uploader = Uploader(tracker, store, study_of(), PLAN, notice=notices.append).start()
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
