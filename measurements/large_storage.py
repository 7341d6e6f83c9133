"""Write a storage as thousands of finished trials leave it, without training them."""

from __future__ import annotations

from pathlib import Path

from orchestrator.planning.planned import PlanOptions, expand, plan
from orchestrator.planning.preflight import preflight
from orchestrator.run_study import write_documents
from orchestrator.state.ledger import read_ledger
from search_spaces.plan import Plan
from search_spaces.study import Study
from search_spaces.study_files import load_study
from tests.support.stored_studies import answers, finish_features, finish_trial
from trainables.storage import layout, tracked_names
from trainables.storage.record_files import write
from trainables.storage.records import Curve
from trainables.storage.spool import Spool
from trainables.storage.store import LocalStore

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
        _write_spool(store, layout.spool(planned.study, trial.id))
    return study, planned


def _write_spool(store: LocalStore, name: str) -> None:
    """Write the history of a trial."""
    spool = Spool(store, name)
    for step in range(CURVE_POINTS):
        metrics = {tracked_names.TRAIN_LOSS: 1 / (1 + step), tracked_names.TRAIN_LR: 1e-3}
        spool.write(step=step, metrics={**metrics, tracked_names.TRAIN_SAMPLES_PER_S: 64.0})
    spool.close()
