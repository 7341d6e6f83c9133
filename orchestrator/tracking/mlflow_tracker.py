"""Keep a study in MLflow: one experiment per study, one run for the study, one nested run per trial and per arm.

Runs are found by their tags, never by name, and never made twice. Only what varies goes in as parameters, so that
MLflow's comparison of runs is short; numeric axes are mirrored as metrics, because MLflow sorts parameters as text.
"""

from __future__ import annotations

import getpass
import json
import math
import posixpath
import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import filelock
import mlflow
from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, RunTag, ViewType
from mlflow.exceptions import MlflowException
from mlflow.models.utils import get_external_mlflow_model_spec
from mlflow.utils.rest_utils import http_request

from orchestrator.analysis.numeric_axes import numeric_axes
from orchestrator.reporting.summary import StudySummary
from orchestrator.tracking.environment import environment_json, storage_id
from orchestrator.tracking.filter_language import quoted, tag
from orchestrator.tracking.mlflow_errors import translate_errors
from orchestrator.tracking.names import distinct_labels, legal_name
from orchestrator.tracking.pages import experiment_page, view_url
from orchestrator.tracking.saved_views import NEEDED_MLFLOW, subject, views
from orchestrator.tracking.study_note import study_note
from orchestrator.tracking.tracker import Point, Status, TrackerRefusedError
from orchestrator.tracking.view_tags import TAG_SIZE, view_tags
from search_spaces.errors import InputError
from search_spaces.plan import Plan, PlannedTrial
from trainables.storage import layout
from trainables.storage.spool import DataUse

DIGEST_SIZE = 32
"""Hex digits of a dataset's digest: MLflow takes 36 characters."""

PAGE = 1_000
"""Runs per request when a study's runs are searched."""


class MlflowTracker:
    """`orchestrator.tracking.tracker.Tracker` on MLflow."""

    def __init__(self, client: MlflowClient, storage: Path, server: str, artifacts: str | None):
        self.storage = storage
        self.uri: str = client.tracking_uri
        self._client = client
        self._server = server
        self._artifacts = artifacts
        (storage / layout.TRACKING).mkdir(parents=True, exist_ok=True)
        self._lock = filelock.FileLock(storage / layout.TRACKING / f".{server}.lock", is_singleton=False)
        self._experiment: str | None = None
        self._other_studies: dict[str, str] = {}
        self._parent: Any = None
        self._plan: Plan | None = None
        self._numbers: dict[str, dict[str, float]] = {}
        self._values: dict[str, dict[str, str]] = {}
        self._labels: dict[str, dict[str, str]] = {}
        self._summaries: dict[str, Any] | None = None
        self._progress: dict[str, float] = {}
        self._version: str | None = None

    @property
    def server(self) -> str:
        return self._server

    def link(self, base: str) -> str:
        """The page of the study's experiment below the address of a server, or that address while it is not known."""
        if self._experiment is None:
            return base
        if self._has_views:
            return view_url(base, self._experiment, views(subject(self._opened))[0])
        return experiment_page(base, self._experiment)

    # ------------------------------------------------------------------------------------------------ study

    def open_study(self, plan: Plan, documents: Mapping[str, str]) -> list[str]:
        self._plan, self._numbers = plan, numeric_axes(plan)
        self._values = {arm.name: arm.values for arm in plan.arms}
        with translate_errors(), self._lock:
            self._version = self._server_version()
            experiment, remarks = self._find_experiment(plan)
            self._experiment = str(experiment.experiment_id)
            self._labels = self._settle_labels(plan, experiment.tags)
            self._other_studies = self._find_other_studies()
            parents = self._search(f"{tag('kind')} = 'study' and {tag('study')} = {quoted(plan.study)}")
            tags = {"ablate.plan": plan.digest}
            if parents:
                parent, known_axes = parents[0], json.loads(parents[0].data.tags.get("ablate.axes", "[]"))
            else:
                tags |= {"ablate.kind": "study", "ablate.study": plan.study, **_source_tags(plan.study)}
                tags |= {"mlflow.note.content": study_note(plan)}
                parent = self._client.create_run(self._experiment, run_name=plan.study, tags=tags)
                known_axes = None
            self._parent, self._progress = parent, dict(parent.data.metrics)
            if known_axes is not None and known_axes != list(plan.axes):
                self._write_base_values_of_new_axes(plan)
            tags["ablate.axes"] = json.dumps(plan.axes)  # last: whoever reads it may rely on the children having them
            self._client.log_batch(parent.info.run_id, tags=[RunTag(key, value) for key, value in tags.items()])
            self._client.update_run(parent.info.run_id, status="RUNNING")
            for name, text in {**documents, "environment.json": environment_json()}.items():
                self._client.log_text(parent.info.run_id, text, name)
        return remarks

    def show_progress(self, values: Mapping[str, float]) -> None:
        """By seconds since the study was first opened; nothing is sent where nothing has changed."""
        now = int(time.time() * 1000)
        new = {f"study/{name}": value for name, value in values.items()}
        if any(self._progress.get(name) != value for name, value in new.items()):
            step = max(0, now - self._parent.info.start_time) // 1000
            with translate_errors():
                self._client.log_batch(
                    self._parent.info.run_id, metrics=[Metric(name, value, now, step) for name, value in new.items()]
                )
            self._progress |= new

    def show_summary(self, summary: StudySummary) -> None:
        now, note = int(time.time() * 1000), study_note(self._opened, summary)
        with translate_errors():
            self._client.set_tag(self._parent.info.run_id, "mlflow.note.content", note)
            self._client.set_experiment_tag(self._experiment, "mlflow.note.content", note)
            for name, text in summary.documents.items():
                self._client.log_text(self._parent.info.run_id, text, name)
            for arm in summary.arms:
                with self._lock:
                    run = self._summary_run(arm.arm)
                self._write_axes(run, self._values[arm.arm], None)
                numbers = {legal_name(f"arm/{name}"): value for name, value in arm.numbers.items()}
                new = {name: value for name, value in numbers.items() if run.data.metrics.get(name) != value}
                if new:
                    points = [Metric(name, value, now, 0) for name, value in new.items()]
                    self._client.log_batch(run.info.run_id, metrics=points)
                    run.data.metrics.update(new)

    def write_views(self) -> list[str]:
        """Returns why a view was not written: the server is too old for views, or somebody has edited it."""
        if not self._has_views:
            needed = ".".join(map(str, NEEDED_MLFLOW))
            return [f"saved views need MLflow {needed} or newer, and the server is {self._version or 'of no version'}"]
        with translate_errors():
            runs = self._search(f"{tag('kind')} != 'study'")
            metrics = {name for run in runs for name in run.data.metrics}
            of_arms = {run.data.tags["ablate.arm"]: run.info.run_id for run in runs if _is_summary(run)}
            about = subject(self._opened, metrics, of_arms.get(self._opened.base))
            experiment = self._client.get_experiment(self._experiment)
            tags, left_alone = view_tags(views(about), experiment.tags, int(time.time() * 1000))
            for name, value in tags.items():
                self._client.set_experiment_tag(self._experiment, name, value)
        return left_alone

    def close_study(self, status: Status) -> None:
        self.set_status(str(self._parent.info.run_id), status, int(time.time() * 1000))

    # ------------------------------------------------------------------------------------------------ trials

    def open_trial(self, trial: PlannedTrial, run: str | None, started: int) -> str:
        found = self._known_run(run) if run else None
        with translate_errors():
            if found is None:
                with self._lock:
                    found = self._find_trial(trial.id) or self._create_trial(trial, started)
                texts = {"spec.json": trial.spec.model_dump_json(indent=1), "environment.json": environment_json()}
                for name, text in texts.items():
                    self._client.log_text(found.info.run_id, text, name)
                self._link_other_studies(found, trial.id)
            self._write_axes(found, self._values[trial.arm], trial.seed)
        return str(found.info.run_id)

    def log(self, run: str, points: Sequence[Point]) -> None:
        # MLflow stores infinities as the largest float, which no chart survives; the uploader tags the run
        metrics = [
            Metric(
                legal_name(point.metric), point.value if math.isfinite(point.value) else math.nan, point.ts, point.step
            )
            for point in points
        ]
        with translate_errors():
            self._client.log_batch(run, metrics=metrics)

    def annotate(self, run: str, params: Mapping[str, str], tags: Mapping[str, str]) -> None:
        with translate_errors():
            self._client.log_batch(
                run,
                params=[Param(legal_name(name), value) for name, value in params.items()],
                tags=[RunTag(legal_name(name), value) for name, value in tags.items()],
            )

    def link_data(self, run: str, data: Sequence[DataUse]) -> None:
        inputs = [
            DatasetInput(
                Dataset(
                    name=use["name"][:500],
                    digest=use["digest"][:DIGEST_SIZE],
                    source_type="ablate",
                    source=json.dumps({"source": use["name"], "sha256": use["digest"]}),
                ),
                [
                    InputTag(name, value)
                    for name, value in {"mlflow.data.context": use["context"], **use["tags"]}.items()
                ],
            )
            for use in data
        ]
        with translate_errors():
            self._client.log_inputs(run, inputs)

    def offer_model(self, run: str, trial: PlannedTrial, checkpoints: Mapping[str, str]) -> None:
        """A logged model that stays where it is on storage, with the axes as its parameters; made once per run."""
        with translate_errors(), self._lock:
            if self._model_of(run) is not None:
                return
            tags = {
                "mlflow.model.isExternal": "true",  # as mlflow.create_external_model does, which knows one server only
                "ablate.trial": trial.id,
                "ablate.checkpoint_uri": list(checkpoints.values())[-1],
                "ablate.checkpoints": json.dumps(checkpoints),
            }
            params = {legal_name(axis): self._told(axis, label) for axis, label in self._values[trial.arm].items()}
            model = self._client.create_logged_model(
                self._experiment,
                name=_model_name(trial.id),
                source_run_id=run,
                tags=tags,
                params={**params, "seed": str(trial.seed)},
                model_type="vlm",
            )
            with tempfile.TemporaryDirectory() as folder:  # a model without this file cannot be registered
                get_external_mlflow_model_spec(model).save(str(Path(folder) / "MLmodel"))
                self._client.log_model_artifacts(model.model_id, folder)
            self._client.finalize_logged_model(model.model_id, "READY")
            self._client.set_tag(run, "ablate.checkpoint_uri", tags["ablate.checkpoint_uri"])

    def register_best(self, name: str, trial: str) -> str:
        """Give the model of a trial the alias `best` of a registered model; returns its version."""
        with self._lock, translate_errors():
            run = self._find_trial(trial)
            model = self._model_of(run.info.run_id) if run is not None else None
            if run is None or model is None:
                raise InputError(f"the trial must have a model on the server, but {trial} has none", place=self.uri)
            if not self._client.search_registered_models(f"name = {quoted(name)}"):
                self._client.create_registered_model(name)
            known = self._client.search_model_versions(f"name = {quoted(name)}")
            version = next((each for each in known if each.run_id == run.info.run_id), None)
            if version is None:
                mlflow.set_tracking_uri(self.uri)  # where MLflow looks for the model, whatever the client says
                version = self._client.create_model_version(
                    name, source=f"models:/{model.model_id}", run_id=run.info.run_id, model_id=model.model_id
                )
            self._client.set_registered_model_alias(name, "best", version.version)
        return str(version.version)

    def attach(self, run: str, name: str, content: str | Path) -> None:
        with translate_errors():
            if isinstance(content, str):
                self._client.log_text(run, content, name)
                return
            folder, base = posixpath.split(name)
            with tempfile.TemporaryDirectory() as aside:  # MLflow names an artifact after its file
                shutil.copyfile(content, Path(aside) / base)
                self._client.log_artifact(run, str(Path(aside) / base), folder or None)

    def set_status(self, run: str, status: Status, ts: int) -> None:
        with translate_errors():
            if status == "RUNNING":
                self._client.update_run(run, status=status)
            else:
                self._client.set_terminated(run, status=status, end_time=ts)

    def retire(self, run: str) -> None:
        with translate_errors():
            self._client.set_tag(run, "ablate.retired", "the trial was started anew on other data")
            self._client.delete_run(run)

    def unfinished(self) -> dict[str, str]:
        study = self._opened.study
        with translate_errors():
            runs = self._search(
                f"{tag('kind')} = 'trial' and {tag('study')} = {quoted(study)} and attributes.status = 'RUNNING'"
            )
        return {run.data.tags["ablate.trial"]: str(run.info.run_id) for run in runs}

    # ------------------------------------------------------------------------------------------------ below

    @property
    def _opened(self) -> Plan:
        if self._plan is None:
            raise ValueError("open_study must come first")
        return self._plan

    @property
    def _has_views(self) -> bool:
        numbers = [int(part) for part in (self._version or "").split(".")[:2] if part.isdecimal()]
        return tuple(numbers) >= NEEDED_MLFLOW

    def _server_version(self) -> str | None:
        """The version of MLflow that shows the study; None if the server does not tell."""
        if not self.uri.startswith("http"):
            return metadata.version("mlflow")
        credentials = self._client._tracking_client.store.get_host_creds()
        answer = http_request(credentials, "/version", "GET", timeout=10, max_retries=1)
        return answer.text.strip() if answer.status_code == 200 else None

    def _find_experiment(self, plan: Plan) -> tuple[Any, list[str]]:
        """The study's experiment, made if it is not there, and what a person should know of it.

        An experiment belongs to the storage that made it. Where another storage has a study of this name on the same
        server, this one's is called after its storage, too: two studies are never mixed in one experiment.
        """
        mine = storage_id(self.storage)
        for name in (plan.study, f"{plan.study} ({mine})"):
            experiment = self._client.get_experiment_by_name(name) or self._create_experiment(name, plan)
            if experiment.lifecycle_stage == "deleted":
                law = f"the experiment {name!r} must not be among the deleted ones"
                way_out = (
                    f"Run `mlflow experiments restore --experiment-id {experiment.experiment_id}`, or rename the study."
                )
                raise InputError(law, place=self.uri, way_out=way_out)
            if experiment.tags.get("ablate.storage", mine) == mine:
                for tag, value in {"ablate.storage": mine, "ablate.study": plan.study}.items():
                    self._client.set_experiment_tag(experiment.experiment_id, tag, value)
                remark = f"the experiment {plan.study!r} is of another storage: this study is {name!r}"
                return experiment, ([] if name == plan.study else [remark])
        raise InputError(f"the experiment {name!r} must be this storage's own", place=self.uri)

    def _create_experiment(self, name: str, plan: Plan) -> Any:
        location = f"{self._artifacts}/{name}" if self._artifacts else None
        tags = {
            "mlflow.note.content": study_note(plan),
            "mlflow.experimentKind": "custom_model_development",
            "mlflow.experiment.primaryMetric.name": "eval/mean",
            "mlflow.experiment.primaryMetric.greaterIsBetter": "true",
            "ablate.storage": storage_id(self.storage),
        }
        try:
            self._client.create_experiment(name, artifact_location=location, tags=tags)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":  # another driver was faster
                raise
        return self._client.get_experiment_by_name(name)

    def _settle_labels(self, plan: Plan, tags: Mapping[str, str]) -> dict[str, dict[str, str]]:
        """Axis -> label -> what parameters say. Once chosen it holds, so it is kept with the experiment."""
        known: dict[str, dict[str, str]] = json.loads(tags.get("ablate.labels", "{}"))
        labels = {
            axis: {
                **known.get(axis, {}),
                **distinct_labels(list(dict.fromkeys(arm.values[axis] for arm in plan.arms)), known.get(axis, {})),
            }
            for axis in plan.axes
        }
        kept = json.dumps({**known, **labels})
        if labels and len(kept) <= TAG_SIZE and kept != tags.get("ablate.labels"):
            self._client.set_experiment_tag(self._experiment, "ablate.labels", kept)
        return labels

    def _told(self, axis: str, label: str) -> str:
        return self._labels.get(axis, {}).get(label, label)

    def _find_other_studies(self) -> dict[str, str]:
        """Experiment -> study, of all studies of this program on the server but this one."""
        experiments = self._client.search_experiments(filter_string=f"{tag('study')} LIKE '%'")
        return {
            str(experiment.experiment_id): experiment.tags["ablate.study"]
            for experiment in experiments
            if str(experiment.experiment_id) != self._experiment
        }

    def _link_other_studies(self, run: Any, trial: str) -> None:
        """Equal trials of other studies have runs of their own: each names the others in a tag."""
        if not self._other_studies:
            return
        condition = f"{tag('kind')} = 'trial' and {tag('trial')} = {quoted(trial)}"
        twins = self._client.search_runs(list(self._other_studies), condition, ViewType.ACTIVE_ONLY, PAGE)
        mine = json.loads(run.data.tags.get("ablate.also_in", "{}"))
        for twin in twins:
            theirs = json.loads(twin.data.tags.get("ablate.also_in", "{}"))
            theirs[self._opened.study] = run.info.run_id
            self._client.set_tag(twin.info.run_id, "ablate.also_in", json.dumps(theirs))
            mine[self._other_studies[twin.info.experiment_id]] = twin.info.run_id
        if twins:
            self._client.set_tag(run.info.run_id, "ablate.also_in", json.dumps(mine))

    def _summary_run(self, arm: str) -> Any:
        if self._summaries is None:
            found = self._search(f"{tag('kind')} = 'summary' and {tag('study')} = {quoted(self._opened.study)}")
            self._summaries = {run.data.tags["ablate.arm"]: run for run in found}
        if arm not in self._summaries:
            tags = {
                "mlflow.parentRunId": self._parent.info.run_id,
                "ablate.kind": "summary",
                "ablate.study": self._opened.study,
                "ablate.arm": arm,
                **_source_tags(self._opened.study),
            }
            run = self._client.create_run(self._experiment, run_name=f"{arm} (mean)", tags=tags)
            self._client.set_terminated(run.info.run_id, status="FINISHED")
            self._summaries[arm] = run
        return self._summaries[arm]

    def _model_of(self, run: str) -> Any | None:
        found = self._client.search_logged_models([self._experiment], f"source_run_id = {quoted(run)}", max_results=1)
        return found[0] if found else None

    def _search(self, condition: str) -> list[Any]:
        """All runs of the experiment that are not deleted."""
        runs = page = self._client.search_runs([self._experiment], condition, ViewType.ACTIVE_ONLY, PAGE)
        while page.token:
            page = self._client.search_runs([self._experiment], condition, ViewType.ACTIVE_ONLY, PAGE, None, page.token)
            runs = [*runs, *page]
        return list(runs)

    def _known_run(self, run: str) -> Any | None:
        """The run as it is on the server, or None if it is deleted or not there."""
        try:
            with translate_errors():
                found = self._client.get_run(run)
        except TrackerRefusedError:
            return None
        return found if found.info.lifecycle_stage == "active" else None

    def _find_trial(self, trial: str) -> Any | None:
        study = self._opened.study
        found = self._search(
            f"{tag('kind')} = 'trial' and {tag('study')} = {quoted(study)} and {tag('trial')} = {quoted(trial)}"
        )
        return found[0] if found else None

    def _create_trial(self, trial: PlannedTrial, started: int) -> Any:
        study = self._opened.study
        tags = {
            "mlflow.parentRunId": self._parent.info.run_id,
            "ablate.kind": "trial",
            "ablate.study": study,
            "ablate.trial": trial.id,
            "ablate.arm": trial.arm,
            "ablate.seed": str(trial.seed),
            **_source_tags(study),
        }
        name = f"{trial.arm} s{trial.seed}"
        return self._client.create_run(self._experiment, run_name=name, tags=tags, start_time=started)

    def _write_axes(self, run: Any, values: Mapping[str, str], seed: int | None) -> None:
        """Parameters and mirrored numbers that the run does not have; those it has can never be changed."""
        params = {legal_name(axis): self._told(axis, label) for axis, label in values.items()} | (
            {} if seed is None else {"seed": str(seed)}
        )
        numbers = {
            legal_name(f"cfg/{axis}"): self._numbers[axis][label]
            for axis, label in values.items()
            if label in self._numbers.get(axis, {})
        }
        new_params = [Param(name, value) for name, value in params.items() if name not in run.data.params]
        new_metrics = [
            Metric(name, value, run.info.start_time, 0)
            for name, value in numbers.items()
            if name not in run.data.metrics
        ]
        if new_params or new_metrics:
            self._client.log_batch(run.info.run_id, metrics=new_metrics, params=new_params)
            run.data.params.update({param.key: param.value for param in new_params})
            run.data.metrics.update({metric.key: metric.value for metric in new_metrics})

    def _write_base_values_of_new_axes(self, plan: Plan) -> None:
        """Runs from before an axis was added had the base's value of it, those of arms since removed included."""
        arms = {trial.id: trial.arm for trial in plan.trials}
        base = self._values.get(plan.base or "", {})
        for run in self._search(f"{tag('kind')} != 'study' and {tag('study')} = {quoted(plan.study)}"):
            tags = run.data.tags
            arm = tags["ablate.arm"] if tags["ablate.arm"] in self._values else arms.get(tags.get("ablate.trial", ""))
            self._write_axes(run, base if arm is None else self._values[arm], None)


def _is_summary(run: Any) -> bool:
    return bool(run.data.tags["ablate.kind"] == "summary")


def _model_name(trial: str) -> str:
    """A trial's id without the characters that names of models must not have."""
    return trial.translate(str.maketrans("/:.%\"'", "------"))


def _source_tags(study: str) -> dict[str, str]:
    return {
        "mlflow.user": getpass.getuser(),
        "mlflow.source.name": f"ablate run {study}",
        "mlflow.source.type": "LOCAL",
    }
