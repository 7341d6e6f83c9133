"""Write a storage as thousands of finished trials leave it, without training them."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from safetensors.numpy import save

from orchestrator.planning.planned import PlanOptions, expand, plan
from orchestrator.planning.preflight import preflight
from orchestrator.run_study import write_documents
from orchestrator.state.ledger import read_ledger
from search_spaces.plan import Node, Plan, PlannedTrial
from search_spaces.study import Study
from search_spaces.study_files import load_study
from trainables.evaluation.results import evaluation_key
from trainables.storage import layout, tracked_names
from trainables.storage.record_files import write
from trainables.storage.records import Cost, Curve, EvaluationResult, FeaturesResult, StageResult, TrialResult
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
    results = {node.id: _finish(node, store) for node in planned.nodes.values()}
    table = _examples(examples)
    for number, trial in enumerate(planned.trials):
        stages = [result for name in trial.path if (result := results[name]) is not None]
        _finish_trial(number, trial, planned, stages, table, store)
    return study, planned


def _finish(node: Node, store: LocalStore) -> StageResult | None:
    """Write the result of a node and what it stands for; returns that of a stage."""
    if node.key is None:
        return None
    if node.kind == "features":
        with store.writing(layout.features_array(node.key)) as aside:
            np.save(aside.open("wb"), np.zeros((1, 1, 1), np.float32))
        write(store, layout.features_result(node.key), FeaturesResult(node.key, (1, 1, 1), 1.0))
        return None
    content = save({"weight": np.frombuffer(hashlib.sha256(node.key.encode()).digest(), np.float32)})
    store.put(layout.module_weights(layout.stage_folder(node.key), "projector"), content)
    result = StageResult(
        key=node.key,
        name=node.name,
        steps=node.steps or 0,
        modules={"projector": hashlib.sha256(content).hexdigest()},
        final_loss=0.5,
        diverged=False,
        losses_digest="0" * 64,
        gpu_seconds=10.0,
        samples_per_second=32.0,
        counts={"source": 1000},
        provenance={"torch": "2", "device": "cpu", "world": "1", "micro_batch": "whole", "zero": "0"},
    )
    write(
        store, layout.stage_curve(node.key), Curve(tuple((step, 1 / (1 + step), 1e-3) for step in range(CURVE_POINTS)))
    )
    write(store, layout.stage_result(node.key), result)
    return result


def _examples(rows: int) -> dict[str, list[str]]:
    return {"id": [f"q{row:06d}" for row in range(rows)], "cluster": [f"image{row // 4}" for row in range(rows)]}


def _finish_trial(
    number: int,
    trial: PlannedTrial,
    plan: Plan,
    stages: list[StageResult],
    names: dict[str, list[str]],
    store: LocalStore,
) -> None:
    """Write scores, spool and result of a trial."""
    rng = np.random.default_rng(number)
    evaluations = {}
    for benchmark in plan.evaluation_sets:
        scores = (rng.uniform(size=len(names["id"])) < 0.6 + 0.0001 * (number % 100)).astype(np.float32)
        words = ["yes" if score else "no" for score in scores]
        key = evaluation_key(trial.spec, plan.digests, benchmark, stages)
        result = EvaluationResult(
            key=key,
            asked=plan.benchmark_keys[benchmark.name] or "",
            benchmark=benchmark.id,
            protocol=benchmark.protocol,
            n=len(scores),
            unparsable=0,
            points=100 * float(scores.mean()),
            headline="accuracy",
            metrics={"accuracy": 100 * float(scores.mean())},
            units={},
            warnings=(),
            majority=12.5,
            constant=False,
            gpu_seconds=1.0,
            examples=layout.evaluation_examples(key, benchmark.name),
            best_reachable=100.0,
        )
        with store.writing(result.examples) as aside:
            pq.write_table(pa.table({**names, "prediction": words, "parsed": words, "score": pa.array(scores)}), aside)
        evaluations[benchmark.name] = layout.evaluation_result(key, benchmark.name)
        write(store, evaluations[benchmark.name], result)
    spool = Spool(store, layout.spool(plan.study, trial.id))
    for step in range(CURVE_POINTS):
        metrics = {tracked_names.TRAIN_LOSS: 1 / (1 + step), tracked_names.TRAIN_LR: 1e-3}
        spool.write(step=step, metrics={**metrics, tracked_names.TRAIN_SAMPLES_PER_S: 64.0})
    spool.close()
    keys = tuple(stage.key for stage in stages)
    cost = Cost(gpu_seconds=14.0, gpu_seconds_alone=20.0, wall_seconds=30.0)
    write(store, layout.trial_result(plan.study, trial.id), TrialResult(trial.id, keys, evaluations, False, cost))
