"""Keep a study in MLflow: one experiment per study, one run for the study, one nested run per trial and per arm."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, RunTag

from orchestrator.reporting.summary import StudySummary
from orchestrator.tracking.labels import legal_name
from orchestrator.tracking.mlflow_experiment import find_experiment, recorded_experiment
from orchestrator.tracking.mlflow_models import offer_model, register_best
from orchestrator.tracking.mlflow_runs import StudyRuns, open_runs
from orchestrator.tracking.mlflow_server import MlflowServer, files_aside
from orchestrator.tracking.pages import experiment_page, leaderboard_page, view_url
from orchestrator.tracking.saved_views import NEEDED_MLFLOW, subject, views
from orchestrator.tracking.study_note import study_note
from orchestrator.tracking.tracker import NONE, Point, Status
from orchestrator.tracking.view_tags import view_tags
from search_spaces.plan import Plan, PlannedTrial
from trainables.storage import tracked_names
from trainables.storage.spool import DataUse

DIGEST_SIZE = 32
"""Hex digits of a dataset's digest: MLflow takes 36 characters."""

NAME_SIZE = 500
"""Characters of a dataset's name that MLflow takes."""


class MlflowTracker:
    """`orchestrator.tracking.tracker.Tracker` on MLflow."""

    def __init__(self, server: MlflowServer):
        self.storage, self.uri = server.storage, server.uri
        self._mlflow = server
        self._runs: StudyRuns | None = None
        self._version: str | None = None
        self._progress: dict[str, float] = {}
        self._axes: dict[str, tuple[list[Metric], list[Param]]] = {}
        """Run that this process has made -> values on the axes that are to be written with what is logged first."""
        self._locations: dict[str, str] = {}
        """Run -> where its files are, of those that were opened."""

    @property
    def server(self) -> str:
        return self._mlflow.name

    def link(self, base: str) -> str:
        """Return the page of the study's experiment below the address of a server, or that address while unknown."""
        if self._runs is None:
            return base
        if self._has_views:
            return view_url(base, self._runs.experiment, views(subject(self._runs.plan))[0])
        return experiment_page(base, self._runs.experiment)

    @property
    def study(self) -> str | None:
        """Name of the study that was opened; None before one was."""
        return None if self._runs is None else self._runs.plan.study

    def page_of(self, study: str, base: str) -> str | None:
        """Return the page of a study below the address of a server; None if it was not recorded. Nothing is written."""
        with self._mlflow.translate_errors(), self._mlflow.lock:
            self._version = self._mlflow.version()
            experiment = recorded_experiment(self._mlflow, study)
        if experiment is None:
            return None
        return leaderboard_page(base, experiment) if self._has_views else experiment_page(base, experiment)

    # ------------------------------------------------------------------------------------------------ study

    def open_study(self, plan: Plan) -> list[str]:
        with self._mlflow.translate_errors(), self._mlflow.lock:
            self._version = self._mlflow.version()
            experiment, remarks = find_experiment(self._mlflow, plan)
            self._runs = open_runs(self._mlflow, plan, experiment)
            self._progress = dict(self._runs.parent.data.metrics)
        return remarks

    def show_progress(self, values: Mapping[str, float]) -> None:
        """Write counts by seconds since the study was first opened; nothing is sent where nothing has changed."""
        now = _now_ms()
        new = {tracked_names.study_metric(name): value for name, value in values.items()}
        if any(self._progress.get(name) != value for name, value in new.items()):
            step = max(0, now - self._opened.parent.info.start_time) // 1000
            metrics = [Metric(name, value, now, step) for name, value in new.items()]
            with self._mlflow.translate_errors():
                self._mlflow.client.log_batch(self._parent, metrics=metrics)
            self._progress |= new

    def show_summary(self, summary: StudySummary) -> None:
        now, note = _now_ms(), study_note(self._opened.plan, datetime.now(UTC), summary)
        with self._mlflow.translate_errors():
            self._mlflow.client.set_tag(self._parent, "mlflow.note.content", note)
            self._mlflow.client.set_experiment_tag(self._opened.experiment, "mlflow.note.content", note)
            for arm in summary.arms:
                self._opened.write_summary(arm, now)
            written = self._opened.write_scores(summary.scores, now)
        for run, scores in written.values():
            self.attach(run, {f"examples/{name}.parquet": path for name, path in scores.examples.items()})

    def write_views(self) -> list[str]:
        """Write the saved views, and return why one was not: the server is too old, or somebody has edited it."""
        if not self._has_views:
            needed = ".".join(map(str, NEEDED_MLFLOW))
            return [f"saved views need MLflow {needed} or newer, and the server is {self._version or 'of no version'}"]
        with self._mlflow.translate_errors():
            runs = [run for run in self._opened.without_parent() if run.data.tags.get(tracked_names.CURRENT) == "true"]
            metrics = {name for run in runs for name in run.data.metrics}
            of_arms = {
                run.data.tags[tracked_names.ARM_NAME]: run.info.run_id
                for run in runs
                if run.data.tags[tracked_names.KIND] == "summary"
            }
            about = subject(self._opened.plan, metrics, of_arms.get(self._opened.plan.base))
            experiment = self._mlflow.client.get_experiment(self._opened.experiment)
            tags, left_alone = view_tags(views(about), experiment.tags, _now_ms())
            for name, value in tags.items():
                self._mlflow.client.set_experiment_tag(self._opened.experiment, name, value)
        return left_alone

    def close_study(self, status: Status) -> None:
        self.set_status(self._parent, status, _now_ms())

    # ------------------------------------------------------------------------------------------------ trials

    def open_trial(self, trial: PlannedTrial, run: str | None, started: int) -> str:
        runs = self._opened
        mlflow_run = self._mlflow.active_run(run) if run else None
        with self._mlflow.translate_errors():
            if mlflow_run is None:
                with self._mlflow.lock:
                    mlflow_run = runs.find_or_create_trial(trial, started, anew=run is not None)
                runs.link_other_studies(mlflow_run, trial.id)
            name, values = str(mlflow_run.info.run_id), runs.axes.values[trial.arm]
            self._locations[name] = str(mlflow_run.info.artifact_uri)
            if name in runs.created:
                runs.created.remove(name)
                self._axes[name] = runs.axes.missing(mlflow_run, values, trial.seed)
            else:
                runs.axes.write(mlflow_run, values, trial.seed)
        return name

    def log(
        self, run: str, points: Sequence[Point], params: Mapping[str, str] = NONE, tags: Mapping[str, str] = NONE
    ) -> None:
        # MLflow stores infinities as the largest float, which no chart survives; the uploader tags the run
        metrics = [
            Metric(
                legal_name(point.metric), point.value if math.isfinite(point.value) else math.nan, point.ts, point.step
            )
            for point in reversed(points)  # newest first: MLflow need not replace the value shown of a run by each
        ]
        axes_metrics, axes_params = self._axes.get(run, ([], []))
        with self._mlflow.translate_errors():
            self._mlflow.client.log_batch(
                run,
                metrics=[*axes_metrics, *metrics],
                params=[*axes_params, *(Param(legal_name(name), value) for name, value in params.items())],
                tags=[RunTag(legal_name(name), value) for name, value in tags.items()],
            )
        self._axes.pop(run, None)

    def attach(self, run: str | None, files: Mapping[str, str | Path]) -> None:
        run = run or self._parent
        with self._mlflow.translate_artifact_errors():
            if run in self._locations:
                self._mlflow.store_files(self._locations[run], files)
            else:
                with files_aside(files) as folder:
                    self._mlflow.client.log_artifacts(run, str(folder))

    def link_data(self, run: str, data: Sequence[DataUse]) -> None:
        with self._mlflow.translate_errors():
            self._mlflow.client.log_inputs(run, [_dataset_input(use) for use in data])

    def offer_model(self, run: str, trial: PlannedTrial, checkpoints: Mapping[str, str]) -> None:
        with self._mlflow.translate_errors(), self._mlflow.lock:
            offer_model(self._opened, run, trial, checkpoints)

    def register_best(self, name: str, trial: str) -> str:
        """Give the model of a trial the alias `best` of a registered model, and return its version."""
        with self._mlflow.lock, self._mlflow.translate_errors():
            return register_best(self._opened, name, trial)

    def set_status(self, run: str, status: Status, ts: int) -> None:
        if run in self._axes:
            self.log(run, [])
        with self._mlflow.translate_errors():
            if status == "RUNNING":
                self._mlflow.client.update_run(run, status=status)
            else:
                self._mlflow.client.set_terminated(run, status=status, end_time=ts)

    def retire(self, run: str) -> None:
        with self._mlflow.translate_errors():
            self._mlflow.client.set_tag(run, tracked_names.RETIRED, "the trial was started anew on other data")
            self._mlflow.client.delete_run(run)

    def unfinished(self) -> dict[str, str]:
        with self._mlflow.translate_errors():
            return self._opened.unfinished_trials()

    # ------------------------------------------------------------------------------------------------ below

    @property
    def _opened(self) -> StudyRuns:
        if self._runs is None:
            raise ValueError("open_study must come first")
        return self._runs

    @property
    def _parent(self) -> str:
        return str(self._opened.parent.info.run_id)

    @property
    def _has_views(self) -> bool:
        numbers = [int(part) for part in (self._version or "").split(".")[:2] if part.isdecimal()]
        return tuple(numbers) >= NEEDED_MLFLOW


def _now_ms() -> int:
    return int(time.time() * 1000)


def _dataset_input(use: DataUse) -> DatasetInput:
    """Name a source of data by its digest, with what was drawn from it as tags."""
    dataset = Dataset(
        name=use["name"][:NAME_SIZE],
        digest=use["digest"][:DIGEST_SIZE],
        source_type="ablate",
        source=json.dumps({"source": use["name"], "sha256": use["digest"]}),
    )
    tags = {"mlflow.data.context": use["context"], **use["tags"]}
    return DatasetInput(dataset, [InputTag(name, value) for name, value in tags.items()])
