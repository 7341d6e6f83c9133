"""A finished trial has a model where its weights are, and the best one an alias."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.entities import LoggedModel

from orchestrator.reporting.summary import summarize
from orchestrator.tracking.mlflow_connect import open_tracker
from orchestrator.tracking.sync import sync_study
from orchestrator.tracking.tracker import TrackerAwayError
from tests.support.stored_studies import study_of
from tests.support.tracked_runs import STORED, finished, trial_run
from trainables.storage import layout


def test_a_finished_trial_has_a_model_where_its_weights_are(storage: Path, client: MlflowClient) -> None:
    store = finished(storage)
    for _ in range(2):
        sync_study(study_of(), STORED, store, open_tracker(None, storage))
    experiment = client.get_experiment_by_name("small").experiment_id
    models = client.search_logged_models([experiment])
    assert len(models) == len(STORED.trials)
    (model,) = [model for model in models if model.source_run_id == trial_run(client, "r32-s8").info.run_id]
    assert model.params == {"resolution": "32px", "seed": "8"}
    key = [node.key for node in STORED.trials[3].stage_nodes(STORED)][-1]
    assert model.tags["ablate.checkpoint_uri"] == (storage / layout.stage_folder(str(key))).as_uri()


def test_the_best_model_gets_an_alias_in_the_registry(storage: Path, client: MlflowClient) -> None:
    store, tracker = finished(storage), open_tracker(None, storage)
    sync_study(study_of(), STORED, store, tracker)
    best = summarize(study_of(), STORED, store).best_trial
    assert best == "r32-s8"
    assert [tracker.register_best("small-vlm", best) for _ in range(2)] == ["1", "1"]
    version = client.get_model_version_by_alias("small-vlm", "best")
    assert version.run_id == trial_run(client, "r32-s8").info.run_id
    experiment = client.get_experiment_by_name("small").experiment_id
    (model,) = client.search_logged_models([experiment], f"source_run_id = '{version.run_id}'")
    assert client.get_model_version_download_uri("small-vlm", version.version) == model.artifact_location


def test_a_trial_whose_run_two_drivers_have_opened_has_one_model(storage: Path, client: MlflowClient) -> None:
    """The one has made the run, and the other offers the model first, as `ablate sync` beside a run may."""
    trackers = [open_tracker(None, storage), open_tracker(None, storage)]
    for tracker in trackers:
        tracker.open_study(STORED)
    opened = {tracker.open_trial(STORED.trials[0], None, 1000) for tracker in trackers}
    for tracker in reversed(trackers):
        for run in opened:
            tracker.offer_model(run, STORED.trials[0], {"finetune": "file:///weights"})
    experiment = client.get_experiment_by_name("small").experiment_id
    assert len(client.search_logged_models([experiment])) == len(opened) == 1


def test_a_driver_that_is_alone_looks_for_no_model_of_a_run_that_it_has_made(
    storage: Path, client: MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    searches, search = list[Any](), MlflowClient.search_logged_models

    def counted(*arguments: Any, **values: Any) -> Any:
        searches.append(arguments)
        return search(*arguments, **values)

    monkeypatch.setattr(MlflowClient, "search_logged_models", counted)
    store = finished(storage)
    sync_study(study_of(), STORED, store, open_tracker(None, storage))
    assert searches == []
    sync_study(study_of(), STORED, store, open_tracker(None, storage))
    assert len(searches) == len(STORED.trials)


def test_a_model_whose_creation_was_not_answered_is_not_made_again(
    storage: Path, client: MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracker, create = open_tracker(None, storage), MlflowClient.create_logged_model
    tracker.open_study(STORED)
    run = tracker.open_trial(STORED.trials[0], None, 1000)

    def lose_answer(*arguments: Any, **values: Any) -> LoggedModel:
        create(*arguments, **values)
        raise ConnectionResetError("connection reset by peer")

    with monkeypatch.context() as losing:
        losing.setattr(MlflowClient, "create_logged_model", lose_answer)
        with pytest.raises(TrackerAwayError):
            tracker.offer_model(run, STORED.trials[0], {"finetune": "file:///weights"})
    tracker.offer_model(run, STORED.trials[0], {"finetune": "file:///weights"})
    experiment = client.get_experiment_by_name("small").experiment_id
    (model,) = client.search_logged_models([experiment])
    assert model.status == "READY"
