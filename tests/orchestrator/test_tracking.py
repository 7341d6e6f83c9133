"""What a study leaves in MLflow, in the embedded database."""

from __future__ import annotations

import json
import math
import shutil
import socket
import sqlite3
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.utils.validation import _validate_metric_name
from small_plans import small_plan, with_axis

from orchestrator.replay import Point, TrackerRefusedError, sync_study
from orchestrator.tracking import embedded_uri, legal_name, numeric_axes, open_command, open_tracker, study_note
from search_spaces.errors import InputError
from search_spaces.plan import Exclusion, Plan
from trainables import layout
from trainables.records import Spool
from trainables.store import LocalStore

PLAN = small_plan()


@pytest.fixture(scope="module")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    storage = tmp_path_factory.mktemp("empty")
    open_tracker(None, storage)
    return storage / layout.TRACKING_DATABASE


@pytest.fixture
def storage(tmp_path: Path, empty_database: Path) -> Path:
    (tmp_path / layout.TRACKING).mkdir()
    shutil.copyfile(empty_database, tmp_path / layout.TRACKING_DATABASE)
    return tmp_path


@pytest.fixture
def client(storage: Path) -> MlflowClient:
    return MlflowClient(embedded_uri(storage))


def runs_of(client: MlflowClient, kind: str, study: str = "small") -> list[Run]:
    experiment = client.get_experiment_by_name(study)
    return list(client.search_runs([experiment.experiment_id], f"tags.`ablate.kind` = '{kind}'"))


def trial_run(client: MlflowClient, trial: str) -> Run:
    (run,) = [run for run in runs_of(client, "trial") if run.data.tags["ablate.trial"] == trial]
    return run


def test_study_has_one_experiment_with_nested_runs_found_by_tags(storage: Path, client: MlflowClient) -> None:
    tracker = open_tracker(None, storage)
    tracker.open_study(PLAN, {"study.yaml": "study: small\n"})
    for trial in PLAN.trials:
        tracker.open_trial(trial, None, 1000)

    (study,) = runs_of(client, "study")
    trials = runs_of(client, "trial")
    assert {run.data.tags["mlflow.parentRunId"] for run in trials} == {study.info.run_id}
    assert {(run.data.tags["ablate.arm"], run.data.tags["ablate.seed"]) for run in trials} == {
        ("base", "7"),
        ("resolution=32px", "7"),
    }
    assert trial_run(client, "r32-s7").data.params == {"resolution": "32px", "seed": "7"}
    assert trial_run(client, "r32-s7").data.metrics == {"cfg/resolution": 32}
    assert trial_run(client, "r32-s7").info.start_time == 1000
    files = {file.path for file in client.list_artifacts(trial_run(client, "r32-s7").info.run_id)}
    assert files == {"spec.json", "environment.json"}
    assert {file.path for file in client.list_artifacts(study.info.run_id)} == {"study.yaml", "environment.json"}
    assert (storage / layout.TRACKING_ARTIFACTS / "small" / study.info.run_id).is_dir()


def test_runs_are_found_again_by_another_driver_with_and_without_their_ids(storage: Path, client: MlflowClient) -> None:
    ids = []
    for known in (None, "first", "0" * 32):
        tracker = open_tracker(None, storage)
        tracker.open_study(PLAN, {})
        ids.append(tracker.open_trial(PLAN.trials[0], ids[0] if known == "first" else known, 1000))
    assert len(set(ids)) == 1
    assert (len(runs_of(client, "study")), len(runs_of(client, "trial"))) == (1, 1)


def test_run_that_a_user_deleted_is_made_anew(storage: Path, client: MlflowClient) -> None:
    tracker = open_tracker(None, storage)
    tracker.open_study(PLAN, {})
    run = tracker.open_trial(PLAN.trials[0], None, 1000)
    client.delete_run(run)
    assert tracker.open_trial(PLAN.trials[0], run, 1000) != run


def test_points_sent_twice_are_there_once(storage: Path, client: MlflowClient) -> None:
    tracker = open_tracker(None, storage)
    tracker.open_study(PLAN, {})
    run = tracker.open_trial(PLAN.trials[0], None, 1000)
    points = [Point("train/loss", 1 / step, 1000 + step, step) for step in range(1, 1500)]
    points.append(Point("train/loss", math.nan, 3000, 1500))
    tracker.log(run, points)
    tracker.log(run, points)
    history = client.get_metric_history(run, "train/loss")
    assert [metric.step for metric in history] == list(range(1, 1501))


def test_infinity_is_recorded_as_not_a_number(storage: Path, client: MlflowClient) -> None:
    tracker = open_tracker(None, storage)
    tracker.open_study(PLAN, {})
    run = tracker.open_trial(PLAN.trials[0], None, 1000)
    tracker.log(run, [Point("train/loss", math.inf, 1000, 1)])
    assert math.isnan(client.get_run(run).data.metrics["train/loss"])


def test_axis_added_later_writes_the_base_value_into_existing_runs(storage: Path, client: MlflowClient) -> None:
    tracker = open_tracker(None, storage)
    tracker.open_study(PLAN, {})
    for trial in PLAN.trials:
        tracker.open_trial(trial, None, 1000)

    smaller = small_plan(resolutions=(64,))  # the other arm is no longer in the study
    open_tracker(None, storage).open_study(with_axis(smaller, "epochs", "2"), {})

    assert trial_run(client, "r64-s7").data.params == {"resolution": "64px", "epochs": "2", "seed": "7"}
    assert trial_run(client, "r32-s7").data.params == {"resolution": "32px", "epochs": "2", "seed": "7"}
    assert trial_run(client, "r64-s7").data.metrics["cfg/epochs"] == 2


def test_newest_counts_of_a_study_are_the_latest(storage: Path, client: MlflowClient) -> None:
    tracker = open_tracker(None, storage)
    tracker.open_study(PLAN, {})
    tracker.show_progress({"done": 1, "failed": 1, "pending": 0})
    tracker.show_progress({"done": 2, "failed": 0, "pending": 0})
    tracker.close_study("FINISHED")
    (study,) = runs_of(client, "study")
    assert study.data.metrics == {"study/done": 2, "study/failed": 0, "study/pending": 0}
    assert study.info.status == "FINISHED"


def test_replay_of_a_spool_gives_a_complete_run(storage: Path, client: MlflowClient) -> None:
    store = LocalStore(storage)
    table = store.path("evaluations/key/shapes.parquet")
    table.parent.mkdir(parents=True)
    table.write_bytes(b"PAR1")
    spool = Spool(store.path(layout.spool("small", "r64-s7")))
    spool.write(step=1, metrics={"train/loss": 0.5, "eval/refcoco+/acc@0.5": 10.0})
    spool.write(artifact={"name": "examples/shapes.parquet", "path": "evaluations/key/shapes.parquet"})
    spool.write(artifact={"name": "deepspeed.json", "text": "{}"})
    spool.write(artifact={"name": "gone.json", "path": "nowhere.json"})
    spool.write(params={"resolution": "other"})  # MLflow never changes a parameter
    spool.write(status="FINISHED")
    notices: list[str] = []

    sync_study(PLAN, store, open_tracker(None, storage), notices.append)

    run = trial_run(client, "r64-s7")
    assert run.info.status == "FINISHED"
    assert run.data.metrics["eval/refcocoplus/acc at 0.5"] == 10.0
    assert run.data.params["resolution"] == "64px"
    assert [file.path for file in client.list_artifacts(run.info.run_id, "examples")] == ["examples/shapes.parquet"]
    assert len([notice for notice in notices if "gone.json" in notice or "params" in notice]) == 2


def test_retired_run_is_out_of_sight(storage: Path, client: MlflowClient) -> None:
    tracker = open_tracker(None, storage)
    tracker.open_study(PLAN, {})
    tracker.retire(tracker.open_trial(PLAN.trials[0], None, 1000))
    assert runs_of(client, "trial") == []


def test_unknown_run_is_refused_not_retried(storage: Path) -> None:
    tracker = open_tracker(None, storage)
    tracker.open_study(PLAN, {})
    with pytest.raises(TrackerRefusedError):
        tracker.log("0" * 32, [Point("train/loss", 1.0, 1000, 1)])


def test_deleted_experiment_is_an_error_that_says_how_to_restore_it(storage: Path, client: MlflowClient) -> None:
    open_tracker(None, storage).open_study(PLAN, {})
    experiment = client.get_experiment_by_name("small").experiment_id
    client.delete_experiment(experiment)
    with pytest.raises(InputError, match=f"restore --experiment-id {experiment}"):
        open_tracker(None, storage).open_study(PLAN, {})


def test_server_that_does_not_answer_is_an_error_at_start(tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        uri = f"http://127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(InputError, match=f"{uri}: the tracking server must answer"):
            open_tracker(uri, tmp_path)


def test_database_of_a_newer_mlflow_is_an_error_not_a_migration(storage: Path) -> None:
    with sqlite3.connect(storage / layout.TRACKING_DATABASE) as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'fffffffffff1'")
    with pytest.raises(InputError, match="must have a schema that MLflow"):
        open_tracker(None, storage)


def test_embedded_study_is_opened_with_one_command(storage: Path) -> None:
    tracker = open_tracker(None, storage)
    tracker.open_study(PLAN, {})
    text = open_command(tracker)
    assert f"mlflow ui --backend-store-uri sqlite:///{storage}/tracking/mlflow.db --host 127.0.0.1" in text
    assert "http://127.0.0.1:5000/#/experiments/1/runs?workflowType=machine_learning" in text


@pytest.mark.parametrize(
    ("name", "legal"),
    [
        ("eval/refcoco+/acc@0.5", "eval/refcocoplus/acc at 0.5"),
        ("vision.resize", "vision.resize"),
        ("train//loss", "train/loss"),
        ("../../etc", "etc"),
        ("été", "_t_"),
        ("", "_"),
    ],
)
def test_legal_name_keeps_what_it_can(name: str, legal: str) -> None:
    assert legal_name(name) == legal


@given(st.text(max_size=400))
def test_legal_name_is_taken_by_mlflow(name: str) -> None:
    _validate_metric_name(legal_name(name))
    assert len(legal_name(name)) <= 250


def test_axes_are_numeric_only_if_all_labels_are_numbers_of_one_unit() -> None:
    plan = with_axis(with_axis(with_axis(small_plan(), "epochs", "1.25"), "lr", "2e-5"), "vision.resize", "naive")
    assert set(numeric_axes(plan)) == {"resolution", "epochs", "lr"}
    assert numeric_axes(plan)["lr"] == {"2e-5": 2e-5}


def test_note_of_a_large_study_fits_and_keeps_the_commands() -> None:
    plan = small_plan(resolutions=tuple(range(8, 4008, 8)))
    note = study_note(plan)
    assert len(note) < 8000
    assert "ablate report small" in note
    assert "Does resolution help?" in note
    assert "more, see plan.json" in note


def test_note_tells_what_was_excluded_and_why() -> None:
    plan: Plan = small_plan()
    excluded = (Exclusion("resolution=8px", "smaller than a | patch"),)
    assert r"| resolution=8px | not run: smaller than a \| patch | |" in study_note(
        Plan(**{**vars(plan), "excluded": excluded})
    )


def test_plan_and_study_are_artifacts_of_the_study_run(storage: Path, client: MlflowClient) -> None:
    store = LocalStore(storage)
    store.put(layout.study_file("small"), b"study: small\n")
    store.put(layout.plan_file("small"), json.dumps({"study": "small"}).encode())
    sync_study(PLAN, store, open_tracker(None, storage))
    (study,) = runs_of(client, "study")
    files = {file.path for file in client.list_artifacts(study.info.run_id)}
    assert files == {"study.yaml", "plan.json", "environment.json"}
