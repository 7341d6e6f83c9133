"""Run trials of a shipped study at toy size through Ray, and keep what happened when."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cluster.connect import connect
from orchestrator.planning.durations import estimated_seconds
from orchestrator.planning.preflight import preflight
from orchestrator.running.attempts import Outcomes, RunSettings
from orchestrator.running.tasks import make_task, remaining_work
from orchestrator.running.trial_events import Dispatched, TrialEvent
from orchestrator.running.tuner import run_trials
from orchestrator.state.ledger import read_ledger
from search_spaces.expansion.expand import expand_study, plan_expansion
from search_spaces.expansion.toy_resources import Machine
from search_spaces.outcomes import NodeDone, TrialDone, UnitDone
from search_spaces.plan import Plan
from search_spaces.study_files import load_study
from search_spaces.worker_contract import LauncherName
from trainables.storage.store import LocalStore, Store

STUDY = "quickstart"


@dataclass(frozen=True)
class ToyRun:
    """Trials that were run. Times are seconds of the events' clock, by trial, in the order of hand-outs."""

    plan: Plan
    outcomes: Outcomes
    wall_s: float
    """From the first hand-out to the end."""
    starts: dict[str, float]
    """When each was handed out."""
    first_work: dict[str, float]
    """When each had done its first unit of work."""
    ends: dict[str, float]


def plan_toy_trials(
    store: Store, data: Path, changes: Sequence[str] = (), machine: Machine | None = None
) -> tuple[Plan, dict[str, str]]:
    """Plan the quickstart at toy size, its inputs read onto a storage; return the digests of its inputs, too.

    Args:
        store: the storage.
        data: the data folder.
        changes: to the study, as `--set` takes them.
        machine: that the toy form fits; None for one that has all that the study asks for.
    """
    expansion = expand_study(load_study(STUDY, list(changes)), toy=True, toy_machine=machine)
    known = preflight(expansion.specs(), expansion.evaluation_sets, store, data, lambda text: None)
    return plan_expansion(expansion, digests=known.digests, counts=known.counts), known.digests


def run_toy_trials(
    storage: Path,
    changes: Sequence[str],
    cpus: int,
    most: int | None = None,
    machine: Machine | None = None,
    launcher: LauncherName = "gang",
) -> ToyRun:
    """Run trials of the quickstart at toy size, with a Ray of their own.

    Args:
        storage: root of the storage; data folder, too.
        changes: to the study, as `--set` takes them.
        cpus: that Ray has.
        most: trials, the first of the study; None for all.
        machine: that the toy form fits; None for one that has all that the study asks for.
        launcher: of the workers.
    """
    store = LocalStore(storage)
    plan, digests = plan_toy_trials(store, storage, changes, machine)
    trials = {trial.id: trial for trial in plan.trials}
    ledger = read_ledger(plan, store)
    events: list[TrialEvent] = []
    with connect(cpus=cpus):
        began = time.perf_counter()
        outcomes = run_trials(
            remaining_work(plan, ledger, estimated_seconds(plan, ledger, store))[:most],
            plan.nodes,
            (),
            lambda trial: make_task(plan, trials[trial], digests, storage, storage),
            store,
            RunSettings(plan.study, launcher),
            events.append,
        )
        wall_s = time.perf_counter() - began
    starts, first_work, ends = dict[str, float](), dict[str, float](), dict[str, float]()
    for event in sorted(events, key=lambda event: event.at):
        if isinstance(event.event, Dispatched):
            starts[event.trial] = event.at
        elif isinstance(event.event, UnitDone | NodeDone):
            first_work.setdefault(event.trial, event.at)
        elif isinstance(event.event, TrialDone):
            ends[event.trial] = event.at
    return ToyRun(plan, outcomes, wall_s, starts, first_work, ends)
