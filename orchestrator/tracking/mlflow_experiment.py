"""Find or make a study's experiment in MLflow, and keep there how parameters spell its labels."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from mlflow.entities import Experiment
from mlflow.exceptions import MlflowException

from orchestrator.tracking.environment import storage_id
from orchestrator.tracking.filter_language import tag_field
from orchestrator.tracking.labels import distinct_labels
from orchestrator.tracking.mlflow_server import MlflowServer
from orchestrator.tracking.study_note import study_note
from orchestrator.tracking.tracker import TrackerDeniedError
from orchestrator.tracking.view_tags import TAG_SIZE
from search_spaces.errors import InputError
from search_spaces.plan import Plan
from trainables.storage import tracked_names


def find_experiment(server: MlflowServer, plan: Plan) -> tuple[Experiment, list[str]]:
    """Return the study's experiment, made if it is not there, and what a person should know of it.

    An experiment belongs to the storage that made it. Where another storage has a study of this name on the same
    server, this one's is called after its storage, too: two studies are never mixed in one experiment.

    Raises:
        InputError: the experiment is among the deleted ones, or both names are another storage's.
    """
    own_storage = storage_id(server.storage)
    for name in (plan.study, f"{plan.study} ({own_storage})"):
        server.harmless = "experiments/create", {"name": name}  # if making it fails, it is asked for once more
        experiment = server.client.get_experiment_by_name(name) or _create_experiment(server, name, plan)
        if experiment is None or not experiment.experiment_id:
            raise TrackerDeniedError("its answer names no experiment: it answers otherwise than MLflow does")
        own_tag = {"experiment_id": experiment.experiment_id, "key": tracked_names.STORAGE, "value": own_storage}
        server.harmless = "experiments/set-experiment-tag", own_tag
        if experiment.lifecycle_stage == "deleted":
            law = f"the experiment {name!r} must not be among the deleted ones"
            way_out = (
                f"Run `mlflow experiments restore --experiment-id {experiment.experiment_id}`, or rename the study."
            )
            raise InputError(law, place=server.uri, way_out=way_out)
        if experiment.tags.get(tracked_names.STORAGE, own_storage) == own_storage:
            for tag, value in {tracked_names.STORAGE: own_storage, tracked_names.STUDY: plan.study}.items():
                server.client.set_experiment_tag(experiment.experiment_id, tag, value)
            remark = f"the experiment {plan.study!r} is of another storage: this study is {name!r}"
            return experiment, ([] if name == plan.study else [remark])
    raise InputError(f"the experiment {name!r} must be this storage's own", place=server.uri)


def recorded_experiment(server: MlflowServer, study: str) -> str | None:
    """Return the id of the experiment in which this storage's study was recorded; None where there is none."""
    own_storage = storage_id(server.storage)
    for name in (study, f"{study} ({own_storage})"):
        experiment = server.client.get_experiment_by_name(name)
        is_there = experiment is not None and experiment.lifecycle_stage != "deleted"
        if is_there and experiment.tags.get(tracked_names.STORAGE) == own_storage:
            return str(experiment.experiment_id)
    return None


def _create_experiment(server: MlflowServer, name: str, plan: Plan) -> Experiment:
    location = f"{server.artifacts}/{name}" if server.artifacts else None
    tags = {
        "mlflow.note.content": study_note(plan, datetime.now(UTC)),
        "mlflow.experimentKind": "custom_model_development",
        "mlflow.experiment.primaryMetric.name": tracked_names.EVAL_MEAN,
        "mlflow.experiment.primaryMetric.greaterIsBetter": "true",
        tracked_names.STORAGE: storage_id(server.storage),
    }
    try:
        server.client.create_experiment(name, artifact_location=location, tags=tags)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":  # another driver was faster
            raise
    return server.client.get_experiment_by_name(name)


def settle_labels(server: MlflowServer, experiment: Experiment, plan: Plan) -> dict[str, dict[str, str]]:
    """Return axis -> label -> its spelling in parameters. Once chosen it holds, so it is kept with the experiment."""
    stored = experiment.tags.get(tracked_names.LABELS)
    known: dict[str, dict[str, str]] = json.loads(stored or "{}")
    labels = {
        axis: {
            **known.get(axis, {}),
            **distinct_labels(list(dict.fromkeys(arm.values[axis] for arm in plan.arms)), known.get(axis, {})),
        }
        for axis in plan.axes
    }
    kept = json.dumps({**known, **labels})
    if labels and len(kept) <= TAG_SIZE and kept != stored:
        server.client.set_experiment_tag(experiment.experiment_id, tracked_names.LABELS, kept)
    return labels


def find_other_studies(server: MlflowServer, experiment: Experiment) -> dict[str, str]:
    """Return experiment -> study, of all studies of this program on the server but the one of `experiment`."""
    experiments = server.client.search_experiments(filter_string=f"{tag_field(tracked_names.STUDY)} LIKE '%'")
    return {
        str(listed.experiment_id): listed.tags[tracked_names.STUDY]
        for listed in experiments
        if str(listed.experiment_id) != str(experiment.experiment_id)
    }
