"""What every tracker keeps, whatever the server: the contract of `Tracker`, in memory and on MLflow."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.tracking.mlflow_connect import open_tracker
from orchestrator.tracking.mlflow_tracker import MlflowTracker
from orchestrator.tracking.tracker import Point, Tracker, TrackerRefusedError
from tests.support.memory_tracker import MemoryTracker
from tests.support.small_plans import small_plan

PLAN = small_plan()
TRIAL, OTHER = PLAN.trials

TRACKERS: dict[type[Tracker], Callable[[Path], Tracker]] = {
    MemoryTracker: lambda storage: MemoryTracker(),
    MlflowTracker: lambda storage: open_tracker(None, storage),
}


@pytest.fixture(params=TRACKERS, ids=lambda kind: kind.__name__)
def tracker(request: pytest.FixtureRequest, storage: Path) -> Tracker:
    """A tracker on which the study is open."""
    opened = TRACKERS[request.param](storage)
    opened.open_study(PLAN)
    return opened


def test_the_name_of_a_server_can_be_part_of_a_file_name(tracker: Tracker) -> None:
    assert Path(tracker.server).name == tracker.server


def test_a_trial_has_one_run_however_often_it_is_opened(tracker: Tracker) -> None:
    run = tracker.open_trial(TRIAL, None, 1000)
    assert tracker.open_trial(TRIAL, None, 2000) == run
    assert tracker.open_trial(TRIAL, run, 3000) == run
    assert tracker.open_trial(OTHER, None, 1000) != run


def test_unfinished_are_the_trials_whose_runs_are_open(tracker: Tracker) -> None:
    first, second = (tracker.open_trial(trial, None, 1000) for trial in PLAN.trials)
    assert tracker.unfinished() == {TRIAL.id: first, OTHER.id: second}
    tracker.set_status(first, "FAILED", 2000)
    assert tracker.unfinished() == {OTHER.id: second}
    tracker.set_status(first, "RUNNING", 3000)
    assert tracker.unfinished() == {TRIAL.id: first, OTHER.id: second}


def test_a_trial_whose_run_was_retired_gets_another(tracker: Tracker) -> None:
    run = tracker.open_trial(TRIAL, None, 1000)
    tracker.retire(run)
    assert tracker.unfinished() == {}
    assert tracker.open_trial(TRIAL, run, 2000) != run


def test_a_run_that_was_never_there_is_refused(tracker: Tracker) -> None:
    with pytest.raises(TrackerRefusedError):
        tracker.log("0" * 32, [Point("train/loss", 1.0, 1000, 1)])


def test_everything_may_be_repeated(tracker: Tracker, tmp_path: Path) -> None:
    run, file = tracker.open_trial(TRIAL, None, 1000), tmp_path / "table.parquet"
    file.write_bytes(b"PAR1")
    for _ in range(2):
        tracker.open_study(PLAN)
        tracker.log(run, [Point("train/loss", 1.0, 1000, 1)], {"batch": "4"}, {"ablate.diverged": "false"})
        tracker.attach(run, {"deepspeed.json": "{}", "examples/shapes.parquet": file})
        tracker.link_data(run, [{"name": "shapes@1", "digest": "a" * 64, "context": "training", "tags": {}}])
        tracker.offer_model(run, TRIAL, {"finetune": tmp_path.as_uri()})
        tracker.show_progress({"done": 1, "eta_s": 0.0})
        tracker.write_views()
        tracker.set_status(run, "FINISHED", 2000)
        tracker.close_study("FINISHED")
    assert tracker.unfinished() == {}
