"""Points, files, summaries and models of a study arrive in MLflow as they were recorded."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from orchestrator.reporting.build import build_report
from orchestrator.reporting.forms import FORMS
from orchestrator.reporting.html import to_html
from orchestrator.tracking.mlflow_connect import open_tracker
from orchestrator.tracking.mlflow_server import MlflowServer
from orchestrator.tracking.mlflow_tracker import MlflowTracker
from orchestrator.tracking.sync import sync_study
from orchestrator.tracking.tracker import Point, TrackerRefusedError
from search_spaces.study import Hypothesis
from tests.support.stored_studies import fail_trial, study_of
from tests.support.tracked_runs import PLAN, STORED, finished, names_of, runs_of, trial_run
from trainables.storage import layout
from trainables.storage.spool import Spool
from trainables.storage.store import LocalStore


def test_study_has_one_experiment_with_nested_runs_found_by_tags(storage: Path, client: MlflowClient) -> None:
    tracker = open_tracker(None, storage)
    tracker.open_study(PLAN)
    for trial in PLAN.trials:
        tracker.set_status(tracker.open_trial(trial, None, 1000), "RUNNING", 1000)

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
    tracker.attach(None, {"study.yaml": "study: small\n"})
    assert {file.path for file in client.list_artifacts(study.info.run_id)} == {"study.yaml"}
    assert (storage / layout.TRACKING_ARTIFACTS / "small" / study.info.run_id).is_dir()


def test_points_sent_twice_are_there_once(storage: Path, client: MlflowClient) -> None:
    tracker = open_tracker(None, storage)
    tracker.open_study(PLAN)
    run = tracker.open_trial(PLAN.trials[0], None, 1000)
    points = [Point("train/loss", 1 / step, 1000 + step, step) for step in range(1, 1500)]
    points.append(Point("train/loss", math.nan, 3000, 1500))
    tracker.log(run, points)
    tracker.log(run, points)
    history = client.get_metric_history(run, "train/loss")
    assert [metric.step for metric in history] == list(range(1, 1501))


def test_a_new_run_gets_axes_points_parameters_and_tags_in_one_request(
    storage: Path, client: MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests, log_batch = list[str](), MlflowClient.log_batch

    def counted(self: MlflowClient, run_id: str, *arguments: Any, **values: Any) -> None:
        requests.append(run_id)
        log_batch(self, run_id, *arguments, **values)

    monkeypatch.setattr(MlflowClient, "log_batch", counted)
    tracker = open_tracker(None, storage)
    tracker.open_study(PLAN)
    run = tracker.open_trial(PLAN.trials[0], None, 1000)
    tracker.log(run, [Point("train/loss", 1.0, 1000, 1)], {"batch": "4"}, {"ablate.diverged": "false"})
    tracker.set_status(run, "FINISHED", 2000)
    assert requests.count(run) == 1
    data = client.get_run(run).data
    assert (data.params, data.metrics) == (
        {"resolution": "64px", "seed": "7", "batch": "4"},
        {"cfg/resolution": 64, "train/loss": 1.0},
    )
    assert data.tags["ablate.diverged"] == "false"


def test_a_run_that_a_kill_left_without_axes_gets_them_from_the_next_driver(
    storage: Path, client: MlflowClient
) -> None:
    run = ""
    for _ in range(2):
        tracker = open_tracker(None, storage)
        tracker.open_study(PLAN)
        run = tracker.open_trial(PLAN.trials[0], None, 1000)
    assert client.get_run(run).data.params == {"resolution": "64px", "seed": "7"}


def test_infinity_is_recorded_as_not_a_number(storage: Path, client: MlflowClient) -> None:
    tracker = open_tracker(None, storage)
    tracker.open_study(PLAN)
    run = tracker.open_trial(PLAN.trials[0], None, 1000)
    tracker.log(run, [Point("train/loss", math.inf, 1000, 1)])
    assert math.isnan(client.get_run(run).data.metrics["train/loss"])


def test_newest_counts_of_a_study_are_the_latest(storage: Path, client: MlflowClient) -> None:
    tracker = open_tracker(None, storage)
    tracker.open_study(PLAN)
    tracker.show_progress({"done": 1, "failed": 1, "pending": 0})
    tracker.show_progress({"done": 2, "failed": 0, "pending": 0})
    tracker.close_study("FINISHED")
    (study,) = runs_of(client, "study")
    assert study.data.metrics == {"study/done": 2, "study/failed": 0, "study/pending": 0}
    assert study.info.status == "FINISHED"


def test_replay_of_a_spool_gives_a_complete_run(storage: Path, client: MlflowClient) -> None:
    store = LocalStore(storage)
    table = store.root / "evaluations/key/shapes.parquet"
    table.parent.mkdir(parents=True)
    table.write_bytes(b"PAR1")
    spool = Spool(store, layout.spool("small", "r64-s7"))
    spool.write(step=1, metrics={"train/loss": 0.5, "eval/refcoco+/acc@0.5": 10.0})
    spool.write(artifact={"name": "examples/shapes.parquet", "path": "evaluations/key/shapes.parquet"})
    spool.write(artifact={"name": "deepspeed.json", "text": "{}"})
    spool.write(artifact={"name": "gone.json", "path": "nowhere.json"})
    spool.write(params={"resolution": "other"})  # MLflow never changes a parameter
    spool.write(status="FINISHED")
    notices: list[str] = []

    sync_study(study_of(), PLAN, store, open_tracker(None, storage), notices.append)

    run = trial_run(client, "r64-s7")
    assert run.info.status == "FINISHED"
    assert run.data.metrics["eval/refcocoplus/acc at 0.5"] == 10.0
    assert run.data.params["resolution"] == "64px"
    assert [file.path for file in client.list_artifacts(run.info.run_id, "examples")] == ["examples/shapes.parquet"]
    assert len([notice for notice in notices if "gone.json" in notice or "params" in notice]) == 2


def test_the_number_of_records_left_out_is_a_tag_of_the_trial(storage: Path, client: MlflowClient) -> None:
    store = LocalStore(storage)
    spool = Spool(store, layout.spool("small", "r64-s7"))
    spool.write(step=1, metrics={"train/loss": 0.5})
    spool.write(tags={"ablate.diverged": "false", "ablate.left_out": "chat@1 (missing or broken): 3"})
    spool.write(status="FINISHED")
    sync_study(study_of(), PLAN, store, open_tracker(None, storage))
    assert trial_run(client, "r64-s7").data.tags["ablate.left_out"] == "chat@1 (missing or broken): 3"


def test_unknown_run_is_refused_not_retried(storage: Path) -> None:
    tracker = open_tracker(None, storage)
    tracker.open_study(PLAN)
    with pytest.raises(TrackerRefusedError):
        tracker.log("0" * 32, [Point("train/loss", 1.0, 1000, 1)])


def test_plan_and_study_are_artifacts_of_the_study_run(storage: Path, client: MlflowClient) -> None:
    store = LocalStore(storage)
    store.put(layout.study_file("small"), b"study: small\n")
    store.put(layout.plan_file("small"), json.dumps({"study": "small"}).encode())
    sync_study(study_of(), PLAN, store, open_tracker(None, storage))
    (study,) = runs_of(client, "study")
    files = {file.path for file in client.list_artifacts(study.info.run_id)}
    assert files == {"study.yaml", "plan.json", "environment.json"}


def test_an_arm_over_its_seeds_is_a_run_with_its_interval(storage: Path, client: MlflowClient) -> None:
    store = finished(storage)
    for _ in range(2):
        sync_study(study_of(), STORED, store, open_tracker(None, storage))
    runs = {run.data.tags["ablate.arm"]: run for run in runs_of(client, "summary")}
    assert set(runs) == {"base", "resolution=32px"}
    metrics = runs["resolution=32px"].data.metrics
    assert metrics["arm/shape"] == pytest.approx(75.0)
    assert metrics["arm/mean_low"] < metrics["arm/mean"] < metrics["arm/mean_high"]
    assert metrics["arm/seeds"] == 2
    assert runs["resolution=32px"].data.params == {"resolution": "32px"}
    assert len(client.get_metric_history(runs["base"].info.run_id, "arm/mean")) == 1
    (study,) = runs_of(client, "study")
    assert "resolution: 32px: " in study.data.tags["mlflow.note.content"]
    assert "| resolution=32px | 62.5 |" in study.data.tags["mlflow.note.content"]


def test_the_studys_run_has_the_report_and_its_note_the_verdicts(storage: Path, client: MlflowClient) -> None:
    store = finished(storage)
    pairs = (("base", "resolution=32px"),)
    claimed = study_of(Hypothesis(id="h", claim="Fewer pixels help", pairs=pairs, on=("shape",), expect="better"))
    sync_study(claimed, STORED, store, open_tracker(None, storage))
    (study,) = runs_of(client, "study")
    names = {file.path for file in client.list_artifacts(study.info.run_id)}
    assert {f"report.{form}" for form in FORMS} <= names
    page = Path(client.download_artifacts(study.info.run_id, "report.html", str(storage))).read_text()
    assert page == to_html(build_report(claimed, STORED, store))
    assert "Fewer pixels help" in study.data.tags["mlflow.note.content"]


def test_data_is_linked_with_its_digest_and_what_was_drawn(storage: Path, client: MlflowClient) -> None:
    spool = Spool(LocalStore(storage), layout.spool("small", "r64-s7"))
    tags = {"records.finetune": "1500", "share.finetune": "1.0000"}
    training = {"name": "shapes@1", "digest": "a" * 64, "context": "training", "tags": tags}
    spool.write(data=[training, {"name": "shape", "digest": "b" * 64, "context": "evaluation", "tags": {}}])
    for _ in range(2):
        sync_study(study_of(), PLAN, LocalStore(storage), open_tracker(None, storage))
    inputs = trial_run(client, "r64-s7").inputs.dataset_inputs
    assert [(use.dataset.name, use.dataset.digest) for use in inputs] == [("shapes@1", "a" * 32), ("shape", "b" * 32)]
    told = {tag.key: tag.value for tag in inputs[0].tags}
    assert told == {"mlflow.data.context": "training", **tags}


class OldServer(MlflowServer):
    def version(self) -> str:
        return "3.14.0"


def test_views_are_skipped_with_a_reason_on_a_server_without_them(storage: Path, client: MlflowClient) -> None:
    tracker = MlflowTracker(OldServer(client, storage, "old", None))
    tracker.open_study(PLAN)
    assert tracker.write_views() == ["saved views need MLflow 3.15 or newer, and the server is 3.14.0"]
    assert "viewStateShareKey" not in tracker.link("http://server")


def test_views_are_tags_of_the_experiment_and_the_link_opens_the_first(storage: Path, client: MlflowClient) -> None:
    tracker = open_tracker(None, storage)
    tracker.open_study(PLAN)
    assert tracker.write_views() == []
    tags = client.get_experiment_by_name("small").tags
    assert sum(name.startswith("mlflow.sharedViewState.ablate-") for name in tags) == 8
    assert "viewStateShareKey=ablate-1-leaderboard" in tracker.link("http://server")


def test_names_on_the_server_stay_as_they_are(storage: Path, client: MlflowClient) -> None:
    """People filter by them, and runs of earlier studies have them."""
    store = finished(storage)
    spool = Spool(store, layout.spool("small", "r64-s7"))
    spool.write(step=1, metrics={"train/loss": math.inf})
    store.remove(layout.trial_result("small", STORED.trials[3].id))
    fail_trial(store, STORED, STORED.trials[3])
    sync_study(study_of(), STORED, store, open_tracker(None, storage))
    (study,) = runs_of(client, "study")
    experiment = client.get_experiment_by_name("small")
    own = {run.data.tags["ablate.kind"]: names_of(run) for run in (study, *runs_of(client, "summary"))}
    own["trial"] = set().union(*map(names_of, runs_of(client, "trial")))
    assert {name for name in experiment.tags if name.startswith("ablate.")} == {
        "ablate.dashboard", "ablate.labels", "ablate.storage", "ablate.study",
    }  # fmt: skip
    assert own["study"] == {
        "ablate.axes", "ablate.kind", "ablate.plan", "ablate.study", "study/done", "study/eta_s", "study/failed",
        "study/gpu_hours", "study/pending", "study/running",
    }  # fmt: skip
    assert own["summary"] == {
        "ablate.arm", "ablate.current", "ablate.kind", "ablate.plan", "ablate.scores", "ablate.study", "arm/colour",
        "arm/colour_high", "arm/colour_low", "arm/gpu_seconds", "arm/mean", "arm/mean_high", "arm/mean_low",
        "arm/order", "arm/seeds", "arm/shape", "arm/shape_high", "arm/shape_low", "cfg/resolution", "resolution",
    }  # fmt: skip
    assert own["trial"] == {
        "ablate.arm", "ablate.checkpoint_uri", "ablate.current", "ablate.error", "ablate.error_class",
        "ablate.error_log", "ablate.error_where", "ablate.failed_attempts", "ablate.kind", "ablate.non_finite",
        "ablate.plan", "ablate.seed", "ablate.study", "ablate.trial", "cfg/resolution",
        "eval/colour/accuracy", "eval/colour/points", "eval/mean", "eval/shape/accuracy", "eval/shape/points",
        "resolution", "seed", "train/loss",
    }  # fmt: skip
