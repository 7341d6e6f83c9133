"""Axes of a study become parameters of its runs, also where they come later."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from mlflow import MlflowClient

from orchestrator.tracking.mlflow_connect import open_tracker
from tests.support.small_plans import small_plan, with_axis
from tests.support.tracked_runs import PLAN, trial_run


def test_axis_added_later_writes_the_base_value_into_existing_runs(storage: Path, client: MlflowClient) -> None:
    tracker = open_tracker(None, storage)
    tracker.open_study(PLAN)
    for trial in PLAN.trials:
        tracker.set_status(tracker.open_trial(trial, None, 1000), "RUNNING", 1000)

    smaller = small_plan(resolutions=(64,))  # the other arm is no longer in the study
    open_tracker(None, storage).open_study(with_axis(smaller, "epochs", "2"))

    assert trial_run(client, "r64-s7").data.params == {"resolution": "64px", "epochs": "2", "seed": "7"}
    assert trial_run(client, "r32-s7").data.params == {"resolution": "32px", "epochs": "2", "seed": "7"}
    assert trial_run(client, "r64-s7").data.metrics["cfg/epochs"] == 2


def test_labels_keep_what_runs_were_told_when_a_rival_is_added(storage: Path, client: MlflowClient) -> None:
    first = with_axis(PLAN, "vision.backbone", "siglip-vit-b16")
    tracker = open_tracker(None, storage)
    tracker.open_study(first)
    tracker.set_status(tracker.open_trial(first.trials[0], None, 1000), "RUNNING", 1000)
    arms = (
        first.arms[0],
        replace(first.arms[1], values={**first.arms[1].values, "vision.backbone": "siglip-vit-so400m"}),
    )
    second = replace(first, arms=arms)
    tracker = open_tracker(None, storage)
    tracker.open_study(second)
    for trial in second.trials:
        tracker.set_status(tracker.open_trial(trial, None, 1000), "RUNNING", 1000)
    assert trial_run(client, "r64-s7").data.params["vision.backbone"] == "siglip-vit-b16"
    assert trial_run(client, "r32-s7").data.params["vision.backbone"] == "so400m siglip-vit-so400m"
