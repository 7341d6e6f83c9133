"""Make the weights of trials known in MLflow: as logged models, and as versions of a registered one."""

from __future__ import annotations

import json
from collections.abc import Mapping

from mlflow.entities import LoggedModel, LoggedModelStatus
from mlflow.models.utils import get_external_mlflow_model_spec

from orchestrator.tracking.filter_language import quoted
from orchestrator.tracking.mlflow_runs import StudyRuns
from orchestrator.tracking.mlflow_server import unrepeated
from search_spaces.errors import InputError
from search_spaces.plan import PlannedTrial
from trainables.storage import tracked_names

BEST = "best"
"""Alias of a registered model's version."""


def offer_model(runs: StudyRuns, run: str, trial: PlannedTrial, checkpoints: Mapping[str, str]) -> None:
    """Log a model that stays where it is on storage, with the axes as its parameters; once per run.

    Args:
        runs: the study's runs.
        run: id of the trial's run.
        trial: the trial that has trained it.
        checkpoints: stage -> URI of its weights; the last one's are the model.
    """
    model = _model_of(runs, run) if runs.may_have_model(run) else None
    if model is not None and model.status == LoggedModelStatus.READY:
        return
    client, weights = runs.server.client, list(checkpoints.values())[-1]
    tags = {
        "mlflow.model.isExternal": "true",  # as mlflow.create_external_model does, which knows one server only
        tracked_names.TRIAL: trial.id,
        tracked_names.CHECKPOINT_URI: weights,
        tracked_names.CHECKPOINTS: json.dumps(checkpoints),
    }
    if model is None:
        runs.expect_model(run)
        with unrepeated():
            model = client.create_logged_model(
                runs.experiment,
                name=_model_name(trial.id),
                source_run_id=run,
                tags=tags,
                params={**runs.axes.params(runs.axes.values[trial.arm]), "seed": str(trial.seed)},
                model_type="vlm",
            )
    with runs.server.translate_artifact_errors():  # a model without this file cannot be registered
        runs.server.store_files(
            str(model.artifact_location), {"MLmodel": get_external_mlflow_model_spec(model).to_yaml()}
        )
    client.finalize_logged_model(model.model_id, "READY")


def register_best(runs: StudyRuns, name: str, trial: str) -> str:
    """Give the model of a trial the alias `best` of a registered model, and return its version.

    Args:
        runs: the study's runs.
        name: of the registered model, made if it is not there.
        trial: id of the trial.

    Raises:
        InputError: the trial has no model on the server.
    """
    client, uri = runs.server.client, runs.server.uri
    run = runs.find_trial(trial)
    model = _model_of(runs, run.info.run_id) if run is not None else None
    if run is None or model is None:
        raise InputError(f"the trial must have a model on the server, but {trial} has none", place=uri)
    if not client.search_registered_models(f"name = {quoted(name)}"):
        client.create_registered_model(name)
    known = client.search_model_versions(f"name = {quoted(name)}")
    version = next((each for each in known if each.run_id == run.info.run_id), None)
    if version is None:
        # Where the model is, not `models:/ID`: MLflow would look for that where this process tracks, not this client.
        version = client.create_model_version(
            name, source=str(model.artifact_location), run_id=run.info.run_id, model_id=model.model_id
        )
    client.set_registered_model_alias(name, BEST, version.version)
    return str(version.version)


def _model_of(runs: StudyRuns, run: str) -> LoggedModel | None:
    condition = f"source_run_id = {quoted(run)}"
    models = runs.server.client.search_logged_models([runs.experiment], condition, max_results=1)
    return models[0] if models else None


def _model_name(trial: str) -> str:
    """Return a trial's id without the characters that names of models must not have."""
    return trial.translate(str.maketrans("/:.%\"'", "------"))
