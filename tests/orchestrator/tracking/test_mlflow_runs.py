"""Runs are found again by their tags, whatever became of their ids."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.exceptions import RestException

from orchestrator.tracking.mlflow_connect import open_tracker
from orchestrator.tracking.sync import sync_study
from orchestrator.tracking.tracker import TrackerAwayError
from orchestrator.tracking.view_tags import TAG_PREFIX, decoded
from search_spaces.plan import Plan
from tests.support.stored_studies import study_of
from tests.support.tracked_runs import PLAN, STORED, finished, runs_of, trial_run
from trainables.storage import layout


def test_runs_are_found_again_by_another_driver_with_and_without_their_ids(storage: Path, client: MlflowClient) -> None:
    ids = []
    for known in (None, "first", "0" * 32):
        tracker = open_tracker(None, storage)
        tracker.open_study(PLAN)
        ids.append(tracker.open_trial(PLAN.trials[0], ids[0] if known == "first" else known, 1000))
    assert len(set(ids)) == 1
    assert (len(runs_of(client, "study")), len(runs_of(client, "trial"))) == (1, 1)


@pytest.mark.parametrize("schemes", [(None, None), ("sqlite", "sqlite+pysqlite")], ids=["embedded", "two addresses"])
def test_drivers_that_take_turns_make_one_run_per_trial(
    schemes: tuple[str | None, ...], storage: Path, client: MlflowClient
) -> None:
    """Each searches the runs of all trials at once, and must see those that the other has made since."""
    uris = [scheme and f"{scheme}:///{storage / layout.TRACKING_DATABASE}" for scheme in schemes]
    first, second = (open_tracker(uri, storage) for uri in uris)
    for tracker in (first, second):
        tracker.open_study(PLAN)
    pairs = [{tracker.open_trial(trial, None, 1000) for tracker in (first, second)} for trial in PLAN.trials]
    pairs += [{tracker.open_trial(trial, None, 1000) for tracker in (second, first)} for trial in PLAN.trials]
    assert [len(runs) for runs in pairs] == [1, 1, 1, 1]
    assert len(runs_of(client, "trial")) == len(PLAN.trials)


@pytest.mark.parametrize("is_known", [True, False], ids=["by its id", "though its id was lost"])
def test_run_that_a_user_deleted_is_made_anew(is_known: bool, storage: Path, client: MlflowClient) -> None:
    tracker = open_tracker(None, storage)
    tracker.open_study(PLAN)
    run = tracker.open_trial(PLAN.trials[0], None, 1000)
    client.delete_run(run)
    assert tracker.open_trial(PLAN.trials[0], run if is_known else None, 1000) != run


def test_a_run_whose_creation_was_not_answered_is_not_made_again(
    storage: Path, client: MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracker, create = open_tracker(None, storage), MlflowClient.create_run
    tracker.open_study(PLAN)
    tracker.open_trial(PLAN.trials[0], None, 1000)

    def lose_answer(*arguments: Any, **values: Any) -> Run:
        create(*arguments, **values)
        raise ConnectionResetError("connection reset by peer")

    with monkeypatch.context() as losing:
        losing.setattr(MlflowClient, "create_run", lose_answer)
        with pytest.raises(TrackerAwayError):
            tracker.open_trial(PLAN.trials[1], None, 1000)
    tracker.open_trial(PLAN.trials[1], None, 1000)
    assert len(runs_of(client, "trial")) == len(PLAN.trials)


def test_a_run_that_the_server_refuses_to_give_is_not_taken_for_a_deleted_one(
    storage: Path, client: MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracker = open_tracker(None, storage)
    tracker.open_study(PLAN)
    run = tracker.open_trial(PLAN.trials[0], None, 1000)

    def refuse(*arguments: object) -> Run:
        raise RestException({"error_code": "INVALID_PARAMETER_VALUE", "message": "a proxy takes no such request"})

    monkeypatch.setattr(MlflowClient, "get_run", refuse)
    assert [tracker.open_trial(PLAN.trials[0], known, 1000) for known in (run, None)] == [run, run]
    assert len(runs_of(client, "trial")) == 1


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


def shown(client: MlflowClient, kind: str) -> dict[str, Run]:
    """List by name the runs that saved views show of one kind."""
    runs = [run for run in runs_of(client, kind) if run.data.tags["ablate.current"] == "true"]
    return {run.info.run_name: run for run in runs}


def edited(**fields: Any) -> Plan:
    """Make the plan of an edited study under the same name."""
    return replace(STORED, digest="e" * 64, **fields)


def test_what_an_edit_removes_is_marked_and_what_goes_back_is_shown_again(storage: Path, client: MlflowClient) -> None:
    store = finished(storage)
    fewer = edited(
        arms=STORED.arms[:1], trials=tuple(trial for trial in STORED.trials if trial.arm == "base" and trial.seed == 7)
    )
    sync_study(study_of(), STORED, store, open_tracker(None, storage))
    before = {name: run.data.metrics for name, run in shown(client, "summary").items()}
    sync_study(study_of(), fewer, store, open_tracker(None, storage))

    assert shown(client, "trial").keys() == {"base s7"}
    assert {run.data.tags["ablate.plan"] for run in shown(client, "trial").values()} == {"e" * 64}
    assert shown(client, "summary")["base (mean)"].data.metrics["arm/seeds"] == 1
    assert len(runs_of(client, "trial")) == 4

    sync_study(study_of(), STORED, store, open_tracker(None, storage))
    assert shown(client, "trial").keys() == {"base s7", "base s8", "resolution=32px s7", "resolution=32px s8"}
    assert {name: run.data.metrics for name, run in shown(client, "summary").items()} == before
    assert (len(runs_of(client, "trial")), len(runs_of(client, "summary"))) == (4, 3)


def test_numbers_of_an_arm_are_of_one_version_and_a_trials_newest_of_the_current(
    storage: Path, client: MlflowClient
) -> None:
    """A benchmark leaves the study: the mean of the rest is another number, and no run has both."""
    store = finished(storage)
    one_benchmark = edited(benchmarks=STORED.benchmarks[:1])
    for plan in (STORED, one_benchmark, STORED, one_benchmark):
        sync_study(study_of(), plan, store, open_tracker(None, storage))
        both = plan is STORED
        runs = shown(client, "summary")
        assert ("arm/colour" in runs["resolution=32px (mean)"].data.metrics) == both
        assert runs["resolution=32px (mean)"].data.metrics["arm/mean"] == pytest.approx(62.5 if both else 75.0)
        trial = shown(client, "trial")["resolution=32px s8"]
        assert trial.data.metrics["eval/mean"] == pytest.approx(65.0 if both else 80.0)
    for run in runs_of(client, "summary"):
        assert len({point.value for point in client.get_metric_history(run.info.run_id, "arm/mean")}) == 1


def test_a_trial_beyond_a_limit_stays_and_a_renamed_arm_has_its_new_name(storage: Path, client: MlflowClient) -> None:
    renamed = {"resolution=32px": "small"}
    for plan in (PLAN, replace(PLAN, trials=PLAN.trials[:1], arms=PLAN.arms[:1])):
        tracker = open_tracker(None, storage)
        tracker.open_study(plan)
        for trial in plan.trials:
            tracker.open_trial(trial, None, 1000)
    assert shown(client, "trial").keys() == {"base s7", "resolution=32px s7"}

    arms = tuple(replace(arm, name=renamed.get(arm.name, arm.name)) for arm in PLAN.arms)
    trials = tuple(replace(trial, arm=renamed.get(trial.arm, trial.arm)) for trial in PLAN.trials)
    open_tracker(None, storage).open_study(replace(PLAN, digest="e" * 64, arms=arms, trials=trials))
    assert {name: run.data.tags["ablate.arm"] for name, run in shown(client, "trial").items()} == {
        "base s7": "base",
        "small s7": "small",
    }


def test_saved_views_show_the_current_version_only(storage: Path, client: MlflowClient) -> None:
    tracker = open_tracker(None, storage)
    tracker.open_study(PLAN)
    tracker.write_views()
    tags = client.get_experiment_by_name("small").tags
    states = [decoded(value) for name, value in tags.items() if name.startswith(TAG_PREFIX)]
    assert len(states) == 8
    assert all("tags.`ablate.current` = 'true'" in state["searchFilter"] for state in states)
    assert all(client.search_runs(["1"], state["searchFilter"]) is not None for state in states)
