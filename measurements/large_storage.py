"""Write a storage as thousands of finished trials leave it, without training them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

from orchestrator.planning.planned import PlanOptions, expand, plan
from orchestrator.planning.preflight import preflight
from orchestrator.run_study import write_documents
from orchestrator.state.finished_trials import SETTLED_S
from orchestrator.state.keep_finished import keep_finished
from orchestrator.state.ledger import read_ledger
from search_spaces.plan import Plan, PlannedTrial
from search_spaces.study import Study
from search_spaces.study_files import load_study
from tests.support.stored_studies import answers, finish_features, finish_trial
from trainables.storage import layout, tracked_names
from trainables.storage.record_files import write
from trainables.storage.records import Curve, EvaluationResult
from trainables.storage.spool import Spool
from trainables.storage.store import LocalStore
from trainables.telemetry.score_metrics import score_metrics

CURVE_POINTS = 50
"""Logged steps of a stage."""


def write_finished_study(file: Path, storage: Path, data: Path, examples: int = 200) -> tuple[Study, Plan]:
    """Write results, weights of a few bytes, scores and spools of every trial of a study, as if it had been run.

    Args:
        file: the study.
        storage: root of an empty storage.
        data: folder of the study's data, which are read and digested as `ablate run` does.
        examples: rows of every file of scores.

    Returns:
        The study and its plan with all keys.
    """
    study, store = load_study(str(file)), LocalStore(storage)
    options = PlanOptions(storage=storage, data=data)
    expansion = expand(study, options)
    known = preflight(expansion.specs(), expansion.evaluation_sets, store, data, lambda line: None)
    planned = plan(expansion, options, known)
    write_documents(study, planned, read_ledger(planned, store), store)
    curve = Curve(tuple((step, 1 / (1 + step), 1e-3) for step in range(CURVE_POINTS)))
    for node in planned.nodes.values():
        if node.kind == "features" and node.key is not None:
            finish_features(store, node.key, shape=(1, 1, 1))
        elif node.kind == "stage" and node.key is not None:
            write(store, layout.stage_curve(node.key), curve)
    for number, trial in enumerate(planned.trials):
        accuracy = 0.6 + 0.0001 * (number % 100)
        scores = {benchmark.name: answers(accuracy, number, examples) for benchmark in planned.evaluation_sets}
        finish_trial(store, planned, trial, scores, best_reachable=100.0)
    ledger = read_ledger(planned, store)
    for trial in planned.trials:
        _write_spool(
            store, planned, trial, {each.name: ledger.evaluations[trial.id, each.id] for each in planned.benchmarks}
        )
        store.touch(layout.trial_result(planned.study, trial.id))  # which is the last that a worker writes
    time.sleep(SETTLED_S)  # as if the run had ended a while ago
    keep_finished(planned, read_ledger(planned, store), store)
    return study, planned


def _write_spool(
    store: LocalStore, planned: Plan, trial: PlannedTrial, results: Mapping[str, EvaluationResult]
) -> None:
    """Write the history of a trial as a worker does, with its scores, its files and its ending."""
    spool = Spool(store, layout.spool(planned.study, trial.id))
    for name in ("spec.json", "deepspeed.json", "environment.json"):
        spool.write(artifact={"name": name, "text": trial.spec.as_json()})
    spool.write(status="RUNNING")
    for step in range(1, CURVE_POINTS + 1):
        metrics = {tracked_names.TRAIN_LOSS: 1 / step, tracked_names.TRAIN_LR: 1e-3, tracked_names.STAGE: 0.0}
        spool.write(step=step, metrics={**metrics, tracked_names.TRAIN_SAMPLES_PER_S: 64.0})
    name, digest = next(iter(planned.digests.items()))
    spool.write(data=[{"name": name, "digest": digest, "context": "training", "tags": {}}])
    scores = score_metrics(planned.benchmarks, planned.samples, planned.blind.sets, results)
    spool.write(step=0, metrics={**scores, tracked_names.cost_metric("gpu_seconds"): 14.0})
    for name, result in results.items():
        spool.write(artifact={"name": f"examples/{name}.parquet", "path": result.examples})
    spool.write(tags={tracked_names.DIVERGED: "false"})
    spool.write(status="FINISHED")
    spool.close()
