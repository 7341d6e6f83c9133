"""A study has one experiment, which only its own storage continues."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from mlflow import MlflowClient

from orchestrator.tracking.embedded_database import embedded_uri
from orchestrator.tracking.environment import storage_id
from orchestrator.tracking.mlflow_connect import open_tracker
from search_spaces.errors import InputError
from tests.support.tracked_runs import PLAN, runs_of
from trainables.storage import layout


def test_deleted_experiment_is_an_error_that_says_how_to_restore_it(storage: Path, client: MlflowClient) -> None:
    open_tracker(None, storage).open_study(PLAN)
    experiment = client.get_experiment_by_name("small").experiment_id
    client.delete_experiment(experiment)
    with pytest.raises(InputError, match=f"restore --experiment-id {experiment}"):
        open_tracker(None, storage).open_study(PLAN)


def test_two_storages_with_a_study_of_one_name_do_not_share_an_experiment(
    storage: Path, client: MlflowClient, tmp_path: Path
) -> None:
    server, elsewhere = embedded_uri(storage), tmp_path / "elsewhere"
    elsewhere.mkdir()
    assert open_tracker(server, storage).open_study(PLAN) == []
    (remark,) = open_tracker(server, elsewhere).open_study(PLAN)
    name = f"small ({storage_id(elsewhere)})"
    assert remark == f"the experiment 'small' is of another storage: this study is {name!r}"
    assert len(open_tracker(server, elsewhere).open_study(PLAN)) == 1
    assert len(runs_of(client, "study")) == len(runs_of(client, "study", name)) == 1


def test_a_copy_of_a_storage_goes_on_in_the_same_experiment(storage: Path, tmp_path: Path) -> None:
    open_tracker(embedded_uri(storage), storage).open_study(PLAN)
    copy = tmp_path / "copy"
    shutil.copytree(storage / layout.TRACKING, copy / layout.TRACKING)
    assert open_tracker(embedded_uri(storage), copy).open_study(PLAN) == []
