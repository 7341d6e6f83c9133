"""The main path of a study, step by step. Read this file first; docs/architecture.md has the steps as a picture."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, assert_never

import yaml
from rich.console import Console

from cluster.fit import refuse_impossible, this_machine
from orchestrator.planning.plan_json import plan_json
from orchestrator.planning.planned import RunOptions, plan
from orchestrator.planning.preflight import Digests, preflight
from orchestrator.running.attempts import AttemptFailed, HandedOut, Outcomes, RunSettings, TrialEvent
from orchestrator.running.tasks import asks, make_task, remaining_work
from orchestrator.state.documents import PlanDocument
from orchestrator.state.ledger import Ledger, read_ledger
from search_spaces.outcomes import NodeDone, Started, TrialDone, UnitDone
from search_spaces.plan import Plan
from search_spaces.study import Study
from search_spaces.study_files import load_study
from trainables.storage import layout
from trainables.storage.record_files import read, write
from trainables.storage.records import Attempt
from trainables.storage.store import LocalStore

if TYPE_CHECKING:
    from orchestrator.terminal.live import LiveView
    from orchestrator.tracking.uploader import Uploader


@dataclass(frozen=True)
class StudyRun:
    """What a run came to."""

    study: Study
    plan: Plan
    ledger: Ledger
    outcomes: Outcomes | None
    """None if there was nothing left to do."""
    tracking: str | None
    """How to open the tracking server, where one was used."""


def run_study(name: str, options: RunOptions, console: Console) -> StudyRun:
    """Do what is left of a study, and show it while it is done. Running it again is resuming it."""
    store = LocalStore(options.plan.storage)
    study = load_study(name, options.plan.overrides)
    first = plan(study, options.plan, Digests({}, {}))
    found = preflight(first, store, options.plan.data, console.print)
    final = plan(study, options.plan, found)
    ledger = read_ledger(final, store)
    if ledger.is_finished:
        return StudyRun(study, final, ledger, None, None)
    if options.plan.is_embedded:
        refuse_impossible(asks(final), this_machine(options.cpus))
    set_aside_changed(final, ledger, store)
    outcomes, tracking = train_and_track(final, study, ledger, found, options, console)
    return StudyRun(study, final, read_ledger(final, store), outcomes, tracking)


def set_aside_changed(plan: Plan, ledger: Ledger, store: LocalStore) -> None:
    """Trials whose data or weights have changed since an earlier attempt start anew, with a spool of their own; what
    that attempt left is kept under `superseded`."""
    for trial in plan.trials:
        if ledger.trials[trial.id].state in ("done", "running"):
            continue
        attempt = read(store, layout.trial_task(plan.study, trial.id), Attempt)
        if attempt is None:
            continue
        keys = [stage.key for stage in attempt.stages]
        if keys != [node.key for node in trial.stage_nodes(plan)]:
            kept = store.path(layout.superseded(plan.study, trial.id, keys[-1][:12], int(time.time())))
            kept.parent.mkdir(parents=True, exist_ok=True)
            store.path(layout.trial_folder(plan.study, trial.id)).rename(kept)


def train_and_track(
    plan: Plan, study: Study, ledger: Ledger, found: Digests, options: RunOptions, console: Console
) -> tuple[Outcomes, str]:
    """Everything that needs Ray and MLflow. They are imported here: each takes seconds."""
    from cluster.connect import connect
    from cluster.shared_storage import require_shared_storage
    from orchestrator.running.tuner import run_trials
    from orchestrator.terminal.live import LiveView
    from orchestrator.tracking.mlflow_connect import open_command, open_tracker
    from orchestrator.tracking.uploader import Uploader

    store = LocalStore(options.plan.storage)
    trials = {trial.id: trial for trial in plan.trials}
    store.put(layout.study_file(plan.study), yaml.safe_dump(study.document.value, sort_keys=False).encode())
    write(store, layout.plan_file(plan.study), PlanDocument(plan_json(plan)))
    tracker = None if options.offline else open_tracker(options.tracking_uri, options.plan.storage)
    with connect(options.plan.address, options.cpus) as nodes:
        refuse_impossible(asks(plan), nodes)
        require_shared_storage(nodes, store)
        done = [entry.id for entry in ledger.trials.values() if entry.state == "done"]
        view = LiveView(plan, console, store=store, done=done)
        with view, uploading(Uploader(tracker, store, study, plan, notice=view.note) if tracker else None):
            outcomes = run_trials(
                remaining_work(plan, ledger),
                plan.nodes,
                ledger.done_nodes,
                lambda trial: make_task(plan, trials[trial], found.digests, options.plan.storage, options.plan.data),
                store,
                RunSettings(plan.study, max_concurrent=options.max_concurrent),
                lambda event: show(event, view),
            )
    return outcomes, open_command(tracker) if tracker else f"Offline: `ablate sync {plan.study}` sends it to MLflow."


@contextmanager
def uploading(uploader: Uploader | None) -> Iterator[None]:
    """Records flow to the tracking server while the block runs; behind it all runs have their true status."""
    if uploader is None:
        yield
        return
    uploader.start()
    try:
        yield
    finally:
        uploader.stop()


def show(event: TrialEvent, view: LiveView) -> None:
    """One event of the run, in the live view."""
    match event.event:
        case HandedOut():
            view.trial_started(event.trial)
        case Started():
            pass
        case UnitDone() as progress:
            view.progress(event.trial, progress)
        case NodeDone(node):
            view.node_done(event.trial, node)
        case TrialDone():
            view.trial_done(event.trial)
        case AttemptFailed(failure):
            view.trial_failed(event.trial, failure)
        case _:
            assert_never(event.event)
