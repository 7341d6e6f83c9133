"""Runs of a small study in the embedded MLflow, and a finished study to send there."""

from __future__ import annotations

from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import Run

from tests.support.small_plans import small_plan
from tests.support.stored_studies import answers, finish_trial, two_stage_plan
from trainables.storage.store import LocalStore

PLAN = small_plan()
STORED = two_stage_plan(resolutions=(64, 32))


def runs_of(client: MlflowClient, kind: str, study: str = "small") -> list[Run]:
    """List the runs of one kind (study, summary, trial) in a study's experiment."""
    experiment = client.get_experiment_by_name(study)
    return list(client.search_runs([experiment.experiment_id], f"tags.`ablate.kind` = '{kind}'"))


def trial_run(client: MlflowClient, trial: str) -> Run:
    """Find the run of a trial of the small study."""
    (run,) = [run for run in runs_of(client, "trial") if run.data.tags["ablate.trial"] == trial]
    return run


def finished(storage: Path) -> LocalStore:
    """Write two seeds of two arms to a storage, all finished, with scores that favour the second arm."""
    store = LocalStore(storage)
    for number, trial in enumerate(STORED.trials):
        finish_trial(store, STORED, trial, {"shape": answers(0.5 + 0.1 * number, number), "colour": answers(0.5)})
    return store


def names_of(run: Run) -> set[str]:
    """List metrics, parameters, and those tags that are not MLflow's own."""
    return {*run.data.metrics, *run.data.params, *(tag for tag in run.data.tags if tag.startswith("ablate."))}
