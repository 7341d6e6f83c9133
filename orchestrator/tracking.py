"""The one door to MLflow: one experiment per study, one run for the study, one nested run per trial.

Runs are found by their tags, never by name, and never made twice. Only what varies goes in as parameters, so that
MLflow's comparison of runs is short; numeric axes are mirrored as metrics, because MLflow sorts parameters as text.
"""

from __future__ import annotations

import getpass
import hashlib
import json
import logging
import math
import os
import platform
import posixpath
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from importlib import metadata
from itertools import accumulate
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # read when mlflow is imported

import filelock
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag, ViewType
from mlflow.exceptions import MlflowException
from mlflow.store.db import utils as database

from orchestrator.replay import Point, Status, TrackerAwayError, TrackerRefusedError
from search_spaces.errors import InputError
from search_spaces.plan import Arm, Plan, PlannedTrial
from trainables import layout

CLIENT_SETTINGS = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
"""MLflow's own retries take 247 s against a closed port; the uploader retries by itself, without end."""

REFUSALS = {
    "BAD_REQUEST",
    "INVALID_PARAMETER_VALUE",
    "INVALID_STATE",
    "RESOURCE_ALREADY_EXISTS",
    "RESOURCE_DOES_NOT_EXIST",
}
"""MLflow's error codes that another attempt would meet again; everything else may pass."""

PAGE = 1_000
"""Runs per request when a study's runs are searched."""

TABLE_SIZE = 5_000
"""Characters of the note's table. MLflow cuts a run's note at 8,000, and what follows the table must not be lost."""

READING = """
## How to read

- A trial is an arm with a seed, and one run, nested in the study's. An arm differs from the base in what the table says
  and in nothing else. Seeds are replicates: group the runs by the axes, not by `seed`, to average over them.
- `eval/<benchmark>/<metric>` are the scores, accuracies in points (0-100); `train/` goes by optimizer step over all
  stages; `cost/gpu_seconds` was spent by this trial, `cost/gpu_seconds_alone` counts all of its stages, those that it
  shares included; `cfg/` mirrors numeric axes for sorting and charts.
- MLflow shows means without intervals. What a difference is worth is in the report.
"""

COMMANDS = """
## Commands

    ablate status {study}
    ablate report {study}
    ablate logs TRIAL
    ablate sync {study}      # send again what a server may lack
"""

PACKAGES = ("ablate-vlm", "torch", "deepspeed", "ray", "transformers", "timm", "mlflow", "numpy", "pyarrow")


def open_tracker(uri: str | None, storage: Path) -> MlflowTracker:
    """Reach the tracking server at `uri`; None for the database embedded in `storage`, made if it is not there.

    Raises InputError if it does not answer within some seconds, or if its schema is newer than this MLflow.
    """
    for name, value in CLIENT_SETTINGS.items():
        os.environ.setdefault(name, value)
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    if uri is None:
        return MlflowTracker(_embedded(storage), storage, "embedded", (storage / layout.TRACKING_ARTIFACTS).as_uri())
    way_out = "Start the server, or leave the tracking URI out: `ablate sync` sends later what the storage keeps now."
    try:
        client = MlflowClient(uri)
        client.search_experiments(max_results=1)
    except (MlflowException, OSError, ImportError) as error:
        law = f"the tracking server must answer before a study starts, but it says: {_first_line(error)}"
        raise InputError(law, place=uri, way_out=way_out) from error
    return MlflowTracker(client, storage, hashlib.sha256(uri.encode()).hexdigest()[:16], None)


def embedded_uri(storage: Path) -> str:
    return f"sqlite:///{storage / layout.TRACKING_DATABASE}"


def _embedded(storage: Path) -> MlflowClient:
    """The embedded database, made or brought to this MLflow's schema while no other process does so."""
    path = storage / layout.TRACKING_DATABASE
    path.parent.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(f"{path}.lock"):
        if path.exists():
            engine = database.create_sqlalchemy_engine_with_retry(embedded_uri(storage))
            try:
                if database._get_schema_version(engine) not in (None, database._get_latest_schema_revision()):
                    database._upgrade_db(engine)  # what `mlflow db upgrade` does
            except Exception as error:  # alembic has no base class for what it raises
                law = f"the tracking database must have a schema that MLflow {metadata.version('mlflow')} knows"
                way_out = "Use the MLflow that wrote it, or move it away and run `ablate sync`."
                raise InputError(f"{law}, but: {_first_line(error)}", place=str(path), way_out=way_out) from error
            finally:
                engine.dispose()
        client = MlflowClient(embedded_uri(storage))
        client.search_experiments(max_results=1)
    return client


def open_command(tracker: MlflowTracker) -> str:
    """What to do to see the study in MLflow, for people: a command for the embedded database, else a link."""
    if tracker.server != "embedded":
        return f"MLflow: {tracker.link(tracker.uri)}" if tracker.uri.startswith("http") else f"MLflow: {tracker.uri}"
    return (
        f"To open MLflow:  mlflow ui --backend-store-uri {tracker.uri} --host 127.0.0.1 --port 5000 --workers 1\n"
        f"and then:        {tracker.link('http://127.0.0.1:5000')}\n"
        f"Artifacts are in {tracker.storage / layout.TRACKING_ARTIFACTS}"
    )


def experiment_page(server: str, experiment: str) -> str:
    """Where a server shows a study's trials: by name, since MLflow folds them away when sorted by their creation."""
    query = {
        "workflowType": "machine_learning",
        "searchFilter": f"{_tag('kind')} = 'trial'",
        "orderByKey": "tags.`mlflow.runName`",
        "orderByAsc": "true",
        "startTime": "ALL",
    }
    return f"{server.rstrip('/')}/#/experiments/{experiment}/runs?{urlencode(query, quote_via=quote)}"


# ---------------------------------------------------------------------------------------------------- names and texts


def legal_name(name: str) -> str:
    """`name` as MLflow takes it for metrics, parameters and tags: ASCII letters, digits, ``_-. :/``, 250 at most."""
    spelt = name.replace("@", " at ").replace("+", "plus").replace("%", "percent")
    legal = re.sub(r"[^A-Za-z0-9_\-. :/]", "_", spelt)
    legal = posixpath.normpath(f"/{legal}"[:251]).strip("/ ")  # below a root, so that no `..` is left
    return legal or "_"


def numeric_axes(plan: Plan) -> dict[str, dict[str, float]]:
    """Axis -> label -> number, of axes whose labels are all numbers with one unit or none (``224px``, ``1.25``)."""
    axes = {}
    for axis in plan.axes:
        labels = {arm.values[axis] for arm in plan.arms}
        parsed = {label: re.fullmatch(r"([-+]?\d+\.?\d*(?:e[-+]?\d+)?)\s*([^\d\s]*)", label) for label in labels}
        matches = [match for match in parsed.values() if match]
        if len(matches) == len(labels) and len({match[2] for match in matches}) == 1:
            axes[axis] = {label: float(match[1]) for label, match in parsed.items() if match}
    return axes


def study_note(plan: Plan) -> str:
    """The Markdown that MLflow shows on top of the study's run and experiment."""
    seeds: dict[str, list[int]] = {}
    for trial in plan.trials:
        seeds.setdefault(trial.arm, []).append(trial.seed)
    table = [
        f"| {_cell(arm.name)} | {_cell(_difference(arm))} | {', '.join(map(str, seeds.get(arm.name, [])))} |"
        for arm in plan.arms
    ] + [f"| {_cell(exclusion.arm)} | not run: {_cell(exclusion.reason)} | |" for exclusion in plan.excluded]
    shown = sum(size <= TABLE_SIZE for size in accumulate(len(row) + 1 for row in table))
    more = [f"\n... and {len(table) - shown} more, see plan.json."] if shown < len(table) else []
    head = f"# {plan.question}\n\n{plan.study}: {len(plan.arms)} arms, {len(plan.trials)} trials.\n"
    header = ["| arm | difference from the base | seeds |", "|---|---|---|"]
    return "\n".join([head, *header, *table[:shown], *more, READING, COMMANDS.format(study=plan.study)])


def _difference(arm: Arm) -> str:
    return ", ".join(f"{path} = {json.dumps(value)}" for path, value in arm.difference.items()) or "(the base)"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


@cache
def _environment_json() -> str:
    """Versions of what matters, as installed where the study is driven; a worker's own file replaces it in its run."""
    installed = {}
    for package in PACKAGES:
        try:
            installed[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            installed[package] = "not installed"
    python = sys.version.split()[0]
    return json.dumps({"python": python, "platform": platform.platform(), "packages": installed}, indent=1)


# ---------------------------------------------------------------------------------------------------- the tracker


class MlflowTracker:
    """`orchestrator.uploader.Tracker` on MLflow."""

    def __init__(self, client: MlflowClient, storage: Path, server: str, artifacts: str | None):
        self.storage = storage
        self.uri: str = client.tracking_uri
        self._client = client
        self._server = server
        self._artifacts = artifacts
        (storage / layout.TRACKING).mkdir(parents=True, exist_ok=True)
        self._lock = filelock.FileLock(storage / layout.TRACKING / f".{server}.lock", is_singleton=False)
        self._experiment: str | None = None
        self._parent: str | None = None
        self._plan: Plan | None = None
        self._numbers: dict[str, dict[str, float]] = {}
        self._values: dict[str, dict[str, str]] = {}

    @property
    def server(self) -> str:
        return self._server

    def link(self, base: str) -> str:
        """The page of the study's experiment below the address of a server, or that address while it is not known."""
        if self._experiment is None:
            return base
        return experiment_page(base, self._experiment)

    def open_study(self, plan: Plan, documents: Mapping[str, str]) -> None:
        self._plan, self._numbers = plan, numeric_axes(plan)
        self._values = {arm.name: arm.values for arm in plan.arms}
        with _speaking(), self._lock:
            self._experiment = self._find_experiment(plan)
            parents = self._search(f"{_tag('kind')} = 'study' and {_tag('study')} = {_quoted(plan.study)}")
            tags = {"mlflow.note.content": study_note(plan), "ablate.plan": plan.digest}
            if parents:
                parent, known_axes = parents[0], json.loads(parents[0].data.tags.get("ablate.axes", "[]"))
            else:
                tags |= {"ablate.kind": "study", "ablate.study": plan.study, **_source_tags(plan.study)}
                parent = self._client.create_run(self._experiment, run_name=plan.study, tags=tags)
                known_axes = None
            self._parent = parent.info.run_id
            if known_axes is not None and known_axes != list(plan.axes):
                self._write_base_values_of_new_axes(plan)
            tags["ablate.axes"] = json.dumps(plan.axes)  # last: whoever reads it may rely on the children having them
            self._client.log_batch(self._parent, tags=[RunTag(key, value) for key, value in tags.items()])
            self._client.update_run(self._parent, status="RUNNING")
            for name, text in {**documents, "environment.json": _environment_json()}.items():
                self._client.log_text(self._parent, text, name)

    def open_trial(self, trial: PlannedTrial, run: str | None, started: int) -> str:
        found = self._known_run(run) if run else None
        with _speaking():
            if found is None:
                with self._lock:
                    found = self._find_trial(trial.id) or self._create_trial(trial, started)
                texts = {"spec.json": trial.spec.model_dump_json(indent=1), "environment.json": _environment_json()}
                for name, text in texts.items():
                    self._client.log_text(found.info.run_id, text, name)
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
        with _speaking():
            self._client.log_batch(run, metrics=metrics)

    def annotate(self, run: str, params: Mapping[str, str], tags: Mapping[str, str]) -> None:
        with _speaking():
            self._client.log_batch(
                run,
                params=[Param(legal_name(name), value) for name, value in params.items()],
                tags=[RunTag(legal_name(name), value) for name, value in tags.items()],
            )

    def attach(self, run: str, name: str, content: str | Path) -> None:
        with _speaking():
            if isinstance(content, str):
                self._client.log_text(run, content, name)
                return
            folder, base = posixpath.split(name)
            with tempfile.TemporaryDirectory() as aside:  # MLflow names an artifact after its file
                shutil.copyfile(content, Path(aside) / base)
                self._client.log_artifact(run, str(Path(aside) / base), folder or None)

    def set_status(self, run: str, status: Status, ts: int) -> None:
        with _speaking():
            if status == "RUNNING":
                self._client.update_run(run, status=status)
            else:
                self._client.set_terminated(run, status=status, end_time=ts)

    def retire(self, run: str) -> None:
        with _speaking():
            self._client.set_tag(run, "ablate.retired", "the trial was started anew on other data")
            self._client.delete_run(run)

    def unfinished(self) -> dict[str, str]:
        study = self._opened.study
        with _speaking():
            runs = self._search(
                f"{_tag('kind')} = 'trial' and {_tag('study')} = {_quoted(study)} and attributes.status = 'RUNNING'"
            )
        return {run.data.tags["ablate.trial"]: str(run.info.run_id) for run in runs}

    def show_progress(self, counts: Mapping[str, int]) -> None:
        """All at step 0: there MLflow takes the newest for the latest, also when a failed trial is taken up again."""
        now = int(time.time() * 1000)
        with _speaking():
            self._client.log_batch(
                self._parent, metrics=[Metric(f"study/{name}", count, now, 0) for name, count in counts.items()]
            )

    def close_study(self, status: Status) -> None:
        self.set_status(str(self._parent), status, int(time.time() * 1000))

    @property
    def _opened(self) -> Plan:
        if self._plan is None:
            raise ValueError("open_study must come first")
        return self._plan

    def _find_experiment(self, plan: Plan) -> str:
        experiment = self._client.get_experiment_by_name(plan.study)
        if experiment is None:
            location = f"{self._artifacts}/{plan.study}" if self._artifacts else None
            tags = {"mlflow.note.content": study_note(plan), "mlflow.experimentKind": "custom_model_development"}
            return str(self._client.create_experiment(plan.study, artifact_location=location, tags=tags))
        if experiment.lifecycle_stage == "deleted":
            law = f"the experiment {plan.study!r} must not be among the deleted ones"
            way_out = (
                f"Run `mlflow experiments restore --experiment-id {experiment.experiment_id}`, or rename the study."
            )
            raise InputError(law, place=self.uri, way_out=way_out)
        return str(experiment.experiment_id)

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
            with _speaking():
                found = self._client.get_run(run)
        except TrackerRefusedError:
            return None
        return found if found.info.lifecycle_stage == "active" else None

    def _find_trial(self, trial: str) -> Any | None:
        study = self._opened.study
        found = self._search(
            f"{_tag('kind')} = 'trial' and {_tag('study')} = {_quoted(study)} and {_tag('trial')} = {_quoted(trial)}"
        )
        return found[0] if found else None

    def _create_trial(self, trial: PlannedTrial, started: int) -> Any:
        study = self._opened.study
        tags = {
            "mlflow.parentRunId": self._parent,
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
        params = {legal_name(axis): value for axis, value in values.items()} | (
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

    def _write_base_values_of_new_axes(self, plan: Plan) -> None:
        """Runs from before an axis was added had the base's value of it, those of arms since removed included."""
        arms = {trial.id: trial.arm for trial in plan.trials}
        base = next((arm.values for arm in plan.arms if not arm.difference), {})
        for run in self._search(f"{_tag('kind')} = 'trial' and {_tag('study')} = {_quoted(plan.study)}"):
            arm = arms.get(run.data.tags["ablate.trial"])
            self._write_axes(run, base if arm is None else self._values[arm], None)


def _source_tags(study: str) -> dict[str, str]:
    return {
        "mlflow.user": getpass.getuser(),
        "mlflow.source.name": f"ablate run {study}",
        "mlflow.source.type": "LOCAL",
    }


def _tag(name: str) -> str:
    return f"tags.`ablate.{name}`"


def _quoted(text: str) -> str:
    """A string in MLflow's filter language, which has no escapes."""
    quote = "'" if "'" not in text else '"'
    return f"{quote}{text}{quote}"


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:300]


@contextmanager
def _speaking() -> Iterator[None]:
    """Errors of MLflow, its database and its artifact store, as the two that the uploader tells apart."""
    try:
        yield
    except FileNotFoundError as error:
        raise TrackerRefusedError(_first_line(error)) from error
    except MlflowException as error:
        if error.error_code in REFUSALS:
            raise TrackerRefusedError(_first_line(error)) from error
        raise TrackerAwayError(_first_line(error)) from error
    except (TrackerAwayError, TrackerRefusedError):
        raise
    except OSError as error:  # requests' errors are OSErrors, too
        raise TrackerAwayError(_first_line(error)) from error
