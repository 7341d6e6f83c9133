"""Compare what two storages hold of the toy study: weights, losses, scores, rows per example, and histories."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import torch
from safetensors.torch import load_file

from orchestrator.tracking.upload_cursor import PointFilter
from search_spaces.plan import Plan
from trainables.storage import layout, tracked_names
from trainables.storage.record_files import read
from trainables.storage.records import EvaluationResult, StageResult, TrialResult
from trainables.storage.spool import read_spool
from trainables.storage.store import LocalStore

TIMED = (
    tracked_names.SYSTEM,
    tracked_names.COST,
    tracked_names.MEMORY,
    tracked_names.TRAIN_SAMPLES_PER_S,
    tracked_names.TRAIN_MFU,
)
"""Beginnings of the names of metrics whose values are measured: only how often they are there is compared."""

HOW_OFTEN_VARIES = (tracked_names.SYSTEM, tracked_names.TRAIN_SAMPLES_PER_S, tracked_names.TRAIN_MFU)
"""Of these not even that: the machine is sampled by the clock, and a curve that is replayed has no times."""

ROUNDING = 1e-5
"""Relative difference of weights that counts as rounding: undisturbed runs of two shapes are 2e-7 apart."""


@dataclass(frozen=True)
class Findings:
    """What a storage holds of a finished study, as far as it must not depend on what happened on the way."""

    facts: Mapping[str, Any]
    """Name of a fact -> value: digests of weights and losses, rows of tables, scores, points of histories."""
    weights: Mapping[str, Path]
    """Name of a module -> its file."""
    losses: Mapping[str, float | None]
    """Stage -> its last loss."""


def findings(storage: Path, plan: Plan) -> Findings:
    """Read what a storage holds of the trials of a plan. What is not there is a fact, too: None."""
    store = LocalStore(storage)
    facts: dict[str, Any] = {}
    weights: dict[str, Path] = {}
    losses: dict[str, float | None] = {}
    for node in plan.nodes.values():
        if node.kind != "stage" or node.key is None:
            continue
        name = f"stage {node.name} {node.key[:8]}"
        result = read(store, layout.stage_result(node.key), StageResult)
        facts[f"{name}: losses"] = result and (result.losses_digest, result.steps, dict(result.counts))
        losses[name] = result.final_loss if result else None
        for module, digest in result.modules.items() if result else ():
            path = storage / layout.module_weights(layout.stage_folder(node.key), module)
            weights[f"{name}: {module}"] = path
            facts[f"{name}: {module}"] = _sha256(path)
            facts[f"{name}: {module}, as its result says"] = digest
    for trial in plan.trials:
        result_of_trial = read(store, layout.trial_result(plan.study, trial.id), TrialResult)
        facts[f"{trial.id}: result"] = result_of_trial and (result_of_trial.stages, result_of_trial.diverged)
        facts[f"{trial.id}: failure"] = store.exists(layout.trial_failure(plan.study, trial.id))
        for benchmark, name in sorted(result_of_trial.evaluations.items()) if result_of_trial else ():
            facts |= {f"{trial.id}: {benchmark}: {fact}": value for fact, value in _scores(store, storage, name)}
        facts |= {
            f"{trial.id}: {metric}": points for metric, points in spool_history(store, plan.study, trial.id).items()
        }
    return Findings(facts, weights, losses)


def compared(undisturbed: Findings, disturbed: Findings, *, is_same_shape: bool) -> tuple[list[str], float]:
    """List what differs, one line each, and return how far weights and losses are apart, relatively.

    Args:
        undisturbed: findings of the undisturbed study.
        disturbed: those of the disturbed one.
        is_same_shape: whether all of it ran on the same shape. If not, weights and losses may differ by rounding, and
            of all that follows from them only the form is compared.
    """
    if is_same_shape:
        return differences(undisturbed.facts, disturbed.facts), 0.0
    apart = rounding(undisturbed, disturbed)
    differing = differences(form_of(undisturbed.facts), form_of(disturbed.facts))
    return differing + ([f"{apart:.1e} apart, which is more than rounding"] if apart > ROUNDING else []), apart


def differences(undisturbed: Mapping[str, Any], disturbed: Mapping[str, Any]) -> list[str]:
    """List every fact that is not the same, one line each."""
    names = sorted({*undisturbed, *disturbed})
    return [
        f"{name}: {_short(undisturbed.get(name))} undisturbed, {_short(disturbed.get(name))} here"
        for name in names
        if undisturbed.get(name) != disturbed.get(name)
    ]


def rounding(first: Findings, second: Findings) -> float:
    """Return the greatest relative difference of weights and last losses: by module, the norm of the difference over
    that of the weights; infinity where something is not there in one of them."""
    if first.weights.keys() != second.weights.keys() or first.losses.keys() != second.losses.keys():
        return math.inf
    greatest = 0.0
    for name, path in first.weights.items():
        ours, theirs = load_file(path), load_file(second.weights[name])
        if ours.keys() != theirs.keys():
            return math.inf
        norm = math.sqrt(sum(float((ours[key] ** 2).sum()) for key in ours))
        apart = math.sqrt(sum(float(((ours[key] - theirs[key]) ** 2).sum()) for key in ours))
        greatest = max(greatest, apart / norm if norm else math.inf)
        if not all(bool(torch.isfinite(tensor).all()) for tensor in theirs.values()):
            return math.inf
    for name, loss in first.losses.items():
        other = second.losses[name]
        if loss is None or other is None:
            return math.inf
        greatest = max(greatest, abs(loss - other) / abs(loss))
    return greatest


def form_of(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Keep of facts what hardware cannot round: which there are, and how many rows and points."""
    return {name: _form(value) for name, value in facts.items() if not name.endswith("as its result says")}


def spool_history(store: LocalStore, study: str, trial: str) -> dict[str, Any]:
    """Read the history of a trial as a tracking server is sent it: by metric, its points or how many there are."""
    name, points = layout.spool(study, trial), PointFilter()
    taken = [
        point for _, line in (read_spool(store, name) if store.exists(name) else ()) for point in points.take(line)
    ]
    history: dict[str, Any] = {}
    for metric in sorted({point.metric for point in taken}):
        own = [(point.step, point.value) for point in taken if point.metric == metric]
        if not metric.startswith(HOW_OFTEN_VARIES):
            history[metric] = Counter(step for step, _ in own) if metric.startswith(TIMED) else own
    return history


def _scores(store: LocalStore, storage: Path, name: str) -> Iterator[tuple[str, Any]]:
    result = read(store, name, EvaluationResult)
    if result is None:
        yield "scores", None
        return
    yield "scores", (result.n, result.points, dict(result.metrics), result.unparsable, dict(result.priors))
    table = pq.read_table(storage / result.examples)
    yield "rows", tuple(sorted(map(str, table.to_pylist())))


def _form(value: Any) -> Any:
    """Keep of a fact what hardware cannot change."""
    if isinstance(value, list):
        return [point[0] for point in value]
    if isinstance(value, tuple) and value and isinstance(value[0], str):
        return len(value)
    return value is None if isinstance(value, (tuple, str)) else value


def _sha256(path: Path) -> str | None:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else None


def _short(value: Any, longest: int = 160) -> str:
    text = str(value)
    return text if len(text) <= longest else f"{text[:longest]}… ({hashlib.sha256(text.encode()).hexdigest()[:8]})"
