"""Runs are found again by their tags, whatever became of their ids."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from mlflow import MlflowClient

from orchestrator.tracking.mlflow_connect import open_tracker
from tests.support.tracked_runs import PLAN, runs_of, trial_run


def test_runs_are_found_again_by_another_driver_with_and_without_their_ids(storage: Path, client: MlflowClient) -> None:
    ids = []
    for known in (None, "first", "0" * 32):
        tracker = open_tracker(None, storage)
        tracker.open_study(PLAN)
        ids.append(tracker.open_trial(PLAN.trials[0], ids[0] if known == "first" else known, 1000))
    assert len(set(ids)) == 1
    assert (len(runs_of(client, "study")), len(runs_of(client, "trial"))) == (1, 1)


def test_run_that_a_user_deleted_is_made_anew(storage: Path, client: MlflowClient) -> None:
    tracker = open_tracker(None, storage)
    tracker.open_study(PLAN)
    run = tracker.open_trial(PLAN.trials[0], None, 1000)
    client.delete_run(run)
    assert tracker.open_trial(PLAN.trials[0], run, 1000) != run


def test_retired_run_is_out_of_sight(storage: Path, client: MlflowClient) -> None:
    tracker = open_tracker(None, storage)
    tracker.open_study(PLAN)
    tracker.retire(tracker.open_trial(PLAN.trials[0], None, 1000))
    assert runs_of(client, "trial") == []


def test_equal_trials_of_two_studies_name_each_other(storage: Path, client: MlflowClient) -> None:
    other = replace(PLAN, study="other")
    for plan in (PLAN, other):
        tracker = open_tracker(None, storage)
        tracker.open_study(plan)
        tracker.open_trial(plan.trials[0], None, 1000)
    mine = trial_run(client, "r64-s7")
    (theirs,) = runs_of(client, "trial", "other")
    assert json.loads(mine.data.tags["ablate.also_in"]) == {"other": theirs.info.run_id}
    assert json.loads(theirs.data.tags["ablate.also_in"]) == {"small": mine.info.run_id}
