"""Plan the rehearsals of a run: one for each shape of trials that is not known to run, cheapest first.

What is known stands on storage by shape, program and hardware, so that a shape is rehearsed once on each.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, assert_never

from cluster.launcher import ResourceRequest
from orchestrator.running.tasks import resource_request, shapes_by_arm
from orchestrator.state.ledger import Ledger
from orchestrator.state.program import program_fingerprint
from search_spaces.identity import fingerprint
from search_spaces.plan import Arm, Plan, PlannedTrial
from search_spaces.resources import micro_batch
from trainables.smaller_batches import with_smaller_batches
from trainables.storage import layout
from trainables.storage.record_files import read_or_redo
from trainables.storage.records import Failure, Rehearsal
from trainables.storage.store import Store
from trainables.task import TrialTask

_DIGITS = 24


@dataclass(frozen=True)
class PlannedRehearsal:
    """A rehearsal that a run begins with."""

    shape: str
    """Its id."""
    proof: str
    """Name of its record on storage."""
    arm: str
    """Whose trial is rehearsed."""
    request: ResourceRequest
    trials: tuple[str, ...]
    """Ids of the trials of this shape, in plan order: they wait for it. The first is the one that is rehearsed."""


@dataclass(frozen=True)
class RehearsalOutcome:
    """What became of a rehearsal."""

    planned: PlannedRehearsal
    record: Rehearsal | None = None
    """What it showed, if it went well."""
    failure: Failure | None = None
    """Why its trials are not started."""
    remedies: tuple[str, ...] = ()
    """What its trials do differently because of it: smaller micro-batches."""


@dataclass(frozen=True)
class Rehearsals:
    """The rehearsals of a run."""

    planned: tuple[PlannedRehearsal, ...] = ()
    """Cheapest first."""
    proven: int = 0
    """Shapes of this run that were rehearsed before."""
    only: bool = False
    """Whether no trial is started after them."""


NO_REHEARSALS = Rehearsals()


@dataclass
class _Shape:
    arm: Arm
    trials: list[PlannedTrial] = field(default_factory=list)


RehearsalChoice = Literal["first", "only", "never"]
"""Whether the shapes of trials that are not known to run are rehearsed: before the trials, instead of them, or not."""


def chosen_rehearsals(
    choice: RehearsalChoice,
    plan: Plan,
    ledger: Ledger,
    task_of: Callable[[str], TrialTask],
    store: Store,
    hardware: Sequence[str],
) -> Rehearsals:
    """Plan the rehearsals that a run begins with.

    Args:
        choice: of the command line.
        plan: of the trials of this run.
        ledger: what storage holds of them.
        task_of: makes the task of a trial.
        store: where it stands what was rehearsed.
        hardware: kinds of hardware of the cluster.
    """
    match choice:
        case "first" | "only":
            return replace(plan_rehearsals(plan, ledger, task_of, store, hardware), only=choice == "only")
        case "never":
            return NO_REHEARSALS
        case _:
            assert_never(choice)


def plan_rehearsals(
    plan: Plan, ledger: Ledger, task_of: Callable[[str], TrialTask], store: Store, hardware: Sequence[str]
) -> Rehearsals:
    """Find the shapes that this run's trials have and that are not known to run here.

    A trial that is done, or whose stages are, needs no rehearsal.

    Args:
        plan: of the trials of this run.
        ledger: what storage holds of them.
        task_of: makes the task of a trial.
        store: where it stands what was rehearsed.
        hardware: kinds of hardware of the cluster.
    """
    shapes = _shapes(plan, ledger)
    program = program_fingerprint() if shapes else ""
    needed: list[PlannedRehearsal] = []
    for shape, content in sorted(shapes.items(), key=lambda item: _cost(item[1].arm)):
        ids = tuple(trial.id for trial in content.trials)
        proof = fingerprint({"shape": shape, "program": program, "hardware": list(hardware)})[:_DIGITS]
        planned = PlannedRehearsal(shape, proof, content.arm.name, resource_request(content.arm.resources), ids)
        if not _is_proven(planned, with_smaller_batches(task_of(ids[0]), store), store):
            needed.append(planned)
    return Rehearsals(tuple(needed), len(shapes) - len(needed))


def _shapes(plan: Plan, ledger: Ledger) -> dict[str, _Shape]:
    """Group the trials that have a stage left by their shape."""
    arms, shape_of = {arm.name: arm for arm in plan.arms}, shapes_by_arm(plan)
    shapes: dict[str, _Shape] = {}
    for trial in plan.trials:
        if ledger.trials[trial.id].state == "done" or all(
            node.id in ledger.done_nodes for node in trial.stage_nodes(plan)
        ):
            continue
        shapes.setdefault(shape_of[trial.arm], _Shape(arms[trial.arm])).trials.append(trial)
    return shapes


def _cost(arm: Arm) -> tuple[float, float, float]:
    """Order shapes by what a rehearsal takes: devices, workers, weights times the tokens of an image."""
    resources, size = arm.resources, arm.size
    weights = 0 if size is None else sum(size.parameters.values()) * size.image_tokens
    return (resources.workers * resources.gpus_per_worker, resources.workers, weights)


def _is_proven(planned: PlannedRehearsal, task: TrialTask, store: Store) -> bool:
    """Check whether the shape was rehearsed with the micro-batches that its trials would run with."""
    record = read_or_redo(store, layout.rehearsal(planned.proof), Rehearsal)
    used = [micro_batch(spec, order.resources) for spec, order in zip(task.trial.stages, task.stages, strict=True)]
    return record is not None and [stage.micro_batch for stage in record.stages] == used


def rehearsals_json(outcomes: Sequence[RehearsalOutcome]) -> list[dict[str, Any]]:
    """Write what became of rehearsals as plain values."""
    return [
        {
            "shape": outcome.planned.shape,
            "arm": outcome.planned.arm,
            "trials": list(outcome.planned.trials),
            "failure": None if outcome.failure is None else _failure_json(outcome.failure),
            "remedies": list(outcome.remedies),
            "stages": [] if outcome.record is None else [vars(stage) for stage in outcome.record.stages],
            "questions": {} if outcome.record is None else dict(outcome.record.questions),
            "seconds": None if outcome.record is None else outcome.record.seconds,
        }
        for outcome in outcomes
    ]


def _failure_json(failure: Failure) -> dict[str, Any]:
    return {name: getattr(failure, name) for name in ("kind", "message", "rank", "host", "gpu", "log")}
