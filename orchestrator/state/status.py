"""Read the status of a study: the state of every trial, the work of those that run, and the estimated time left."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import assert_never

from orchestrator.schema_version import SCHEMA_VERSION
from orchestrator.state.ledger import Ledger, TrialEntry, TrialState, read_ledger
from orchestrator.state.runs import living_runs, place_of
from search_spaces.error_text import first_line
from search_spaces.plan import Node, Plan, PlannedTrial
from trainables.storage import layout, tracked_names
from trainables.storage.restarts import last_restart
from trainables.storage.spool import SpoolLine, read_spool
from trainables.storage.store import Store

_TAILS_BYTES = (16_384, 262_144)
"""Bytes of a spool's end that are read; the longer one only where the shorter holds no metrics."""


@dataclass(frozen=True)
class TrialStatus:
    """The status of one trial. Unknown values are None."""

    id: str
    arm: str
    seed: int
    state: TrialState
    stage: str | None = None
    """The current work, or the last: `features`, a stage's name, `evaluation`."""
    waits_for: str | None = None
    """Name of something it needs that is being produced for another trial, maybe of another study."""
    step: int | None = None
    """Within the stage."""
    steps: int | None = None
    loss: float | None = None
    samples_per_s: float | None = None
    eta_s: float | None = None
    """Until its stages are trained; evaluation comes on top."""
    steps_kept: int = 0
    """Steps of all its stages that storage keeps: of finished stages, and of the newest checkpoint of the others."""
    steps_needed: int | None = None
    """Steps of all its stages; None while those of one are not known yet."""
    features_kept: int = 0
    """Caches of features that are there, of those that it has to read (`features`); none of a trial that is done."""
    features: int = 0
    scored: int = 0
    """Evaluation sets that have their scores, out of `to_score`."""
    to_score: int = 0
    place: str | None = None
    """Host and process of the run that has it, of a running trial."""
    diverged: bool = False
    silent_s: float = 0.0
    """For how many seconds the run that has it has given no sign of life, where it should have."""
    failure: str | None = None
    """Kind and first line of the message."""
    failed_attempts: int = 0
    """Attempts that have failed, whether another one has followed or not."""
    log: str | None = None
    """Path of the log to read, of a failed trial."""
    restarted: str | None = None
    """From which step its stage went on last, and why not from its newest checkpoint; None where it did."""


@dataclass(frozen=True)
class StudyStatus:
    """The status of a study and of all its trials."""

    study: str
    counts: dict[TrialState, int]
    trials: tuple[TrialStatus, ...]
    """In plan order."""
    steps_done: int
    """Optimizer steps that the study needs and has: of finished stages, of checkpoints, and of what is being trained.
    Shared steps count once."""
    steps: int | None
    """All that it needs; None while steps of a stage are not known yet."""
    eta_s: float | None
    """Until all stages are trained at the pace of the running trials; None while there is no pace to go by."""
    removed: tuple[str, ...]
    scored: int = 0
    """Evaluation sets of all trials that have their scores, out of `to_score`."""
    to_score: int = 0
    runs: tuple[str, ...] = ()
    """Who runs the study at this moment, and where, for people."""
    added_seeds: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """Arm -> replicates that are not in the study file: `run --until-decided` has added them."""


@dataclass(frozen=True)
class _Metrics:
    """The newest metrics of a spool. Steps are global, over all stages of the trial."""

    step: int | None = None
    loss: float | None = None
    samples_per_s: float | None = None
    steps_per_s: float | None = None


def study_status(plan: Plan, store: Store, ledger: Ledger | None = None) -> StudyStatus:
    """Read the status of every trial from storage.

    Args:
        plan: of the study.
        store: the storage.
        ledger: that was just read, to save reading it again.
    """
    ledger = ledger or read_ledger(plan, store)
    metrics_of = {
        trial.id: _read_metrics(plan, trial, store)
        for trial in plan.trials
        if ledger.trials[trial.id].state in ("running", "half-done", "failed")
    }
    statuses = tuple(_trial_status(plan, trial, ledger, metrics_of.get(trial.id), store) for trial in plan.trials)
    stages = [node for node in plan.nodes.values() if node.kind == "stage"]
    known = [node.steps for node in stages if node.steps is not None]
    steps = sum(known) if len(known) == len(stages) else None
    done = sum(node.steps or 0 for node in stages if node.id in ledger.done_nodes)
    done += sum({**ledger.kept_steps, **_steps_under_way(statuses, ledger)}.values())
    pace = sum(
        metrics.steps_per_s or 0.0
        for status in statuses
        if status.state == "running" and (metrics := metrics_of.get(status.id)) is not None
    )
    eta = (steps - done) / pace if steps is not None and pace > 0 else None
    return StudyStatus(
        study=plan.study,
        counts=ledger.counts(),
        trials=statuses,
        steps_done=done,
        steps=steps,
        eta_s=eta,
        removed=ledger.removed,
        scored=sum(status.scored for status in statuses),
        to_score=sum(status.to_score for status in statuses),
        runs=tuple(run.sentence for run in living_runs(store, plan.study)),
        added_seeds=plan.added_seeds,
    )


def to_json(status: StudyStatus) -> str:
    """Write a status as JSON."""
    document = {"schema_version": SCHEMA_VERSION, **asdict(status)}
    return json.dumps(document, indent=1, sort_keys=True, allow_nan=False) + "\n"


def _trial_status(
    plan: Plan, trial: PlannedTrial, ledger: Ledger, metrics: _Metrics | None, store: Store
) -> TrialStatus:
    entry = ledger.trials[trial.id]
    failure = log = None
    if entry.failure is not None:
        failure = f"{entry.failure.kind}: {first_line(entry.failure.message)}"
        log = store.place(entry.failure.log) if entry.failure.log else None
    metrics = metrics or _Metrics()
    node, before = _current(plan, trial, entry, metrics.step)
    if entry.state == "half-done" and all(stage.id in ledger.done_nodes for stage in trial.stage_nodes(plan)):
        node = plan.nodes[trial.path[-1]]
    is_training = node is not None and node.kind == "stage"
    step = max(metrics.step - before, 0) if metrics.step is not None and is_training else None
    if step is not None and node is not None and node.steps is not None:
        step = min(step, node.steps)
    is_live = entry.state == "running" and metrics.steps_per_s is not None
    stages = [stage.steps for stage in trial.stage_nodes(plan)]
    is_done = entry.state == "done"  # it reads no features any more: they may have been freed
    features = [] if is_done else [name for name in trial.path if plan.nodes[name].kind == "features"]
    eta = None
    if is_live and metrics.step is not None and all(steps is not None for steps in stages):
        eta = max(sum(steps or 0 for steps in stages) - metrics.step, 0) / (metrics.steps_per_s or 1.0)
    return TrialStatus(
        id=trial.id,
        arm=trial.arm,
        seed=trial.seed,
        state=entry.state,
        stage=None if node is None else _work_name(node),
        waits_for=plan.nodes[entry.waits_for].name if entry.waits_for is not None else None,
        step=step,
        steps=node.steps if node is not None and node.kind == "stage" else None,
        loss=metrics.loss,
        samples_per_s=metrics.samples_per_s if entry.state == "running" else None,
        eta_s=eta,
        steps_kept=sum(_kept_steps(node, ledger) for node in trial.stage_nodes(plan)),
        steps_needed=sum(steps or 0 for steps in stages) if None not in stages else None,
        features_kept=sum(name in ledger.done_nodes for name in features),
        features=len(features),
        scored=sum(asked.name in entry.scored for asked in plan.required_sets),
        to_score=0 if entry.is_diverged else len(plan.required_sets),
        place=place_of(entry.owner) if entry.owner is not None else None,
        diverged=entry.is_diverged,
        silent_s=entry.silent_s,
        failure=failure,
        failed_attempts=entry.failures_before + (entry.failure is not None),
        log=log,
        restarted=None if entry.state in ("done", "pending") else last_restart(store, plan.study, trial.id),
    )


def _kept_steps(node: Node, ledger: Ledger) -> int:
    return node.steps or 0 if node.id in ledger.done_nodes else ledger.kept_steps.get(node.id, 0)


def _work_name(node: Node) -> str:
    match node.kind:
        case "stage":
            return node.name
        case "features" | "evaluation":
            return node.kind
        case _:
            assert_never(node.kind)


def _current(plan: Plan, trial: PlannedTrial, entry: TrialEntry, step: int | None) -> tuple[Node | None, int]:
    """Find the node a trial is at, and the global step at which it began: its run's node, else by its last step."""
    before = 0
    for node in (plan.nodes[name] for name in trial.path):
        ends = before + (node.steps or 0) if node.kind == "stage" else before
        if node.id == entry.working:
            return node, before
        if entry.working is None and step is not None and node.kind == "stage" and before < step <= ends:
            return node, before
        before = ends
    return None, 0


def _steps_under_way(statuses: Iterable[TrialStatus], ledger: Ledger) -> dict[str, int]:
    """Map nodes that are being trained to the steps that a running trial has made of them, or that are kept."""
    made: dict[str, int] = {}
    for status in statuses:
        node = ledger.trials[status.id].working
        if status.step is not None and node is not None and node not in ledger.done_nodes:
            made[node] = max(made.get(node, ledger.kept_steps.get(node, 0)), status.step)
    return made


def _read_metrics(plan: Plan, trial: PlannedTrial, store: Store) -> _Metrics:
    try:
        return _metrics_at_the_end(layout.spool(plan.study, trial.id), store)
    except FileNotFoundError:  # nothing was written, or it was set aside by another run meanwhile
        return _Metrics()


def _metrics_at_the_end(name: str, store: Store) -> _Metrics:
    """Read the last metrics of a spool; of its end alone, as it may be large."""
    size = store.facts(name).size
    for tail in _TAILS_BYTES:
        lines = [
            line
            for _, line in read_spool(store, name, max(size - tail, 0))
            if tracked_names.TRAIN_LOSS in line.get("metrics", {})
        ]
        if lines or size <= tail:
            return _newest_metrics(lines)
    return _Metrics()


def _newest_metrics(lines: list[SpoolLine]) -> _Metrics:
    if not lines:
        return _Metrics()
    last = lines[-1]
    timed = [
        line for line in lines if tracked_names.TRAIN_SAMPLES_PER_S in line["metrics"]
    ]  # replayed curves of others have none
    rates = [line["metrics"][tracked_names.TRAIN_SAMPLES_PER_S] for line in timed]
    pace = None
    if len(timed) > 1 and timed[-1]["ts"] > timed[0]["ts"] and timed[-1]["step"] > timed[0]["step"]:
        pace = (timed[-1]["step"] - timed[0]["step"]) / ((timed[-1]["ts"] - timed[0]["ts"]) / 1000)
    loss = last["metrics"][tracked_names.TRAIN_LOSS]
    return _Metrics(last.get("step"), loss if math.isfinite(loss) else None, rates[-1] if rates else None, pace)
