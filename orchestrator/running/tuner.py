"""Run the trials of a study with Ray Tune on the connected cluster, and return their outcomes.

Files on storage show what happened. Tune is kept quiet: what it and Ray log goes to a file in the study's folder.
"""

from __future__ import annotations

import logging
import math
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import replace
from functools import partial
from io import BufferedWriter, TextIOWrapper
from pathlib import Path
from types import MappingProxyType

import ray

from cluster.demand import Demand
from cluster.fit import NodeResources, node_resources
from cluster.hardware import hardware_kinds
from cluster.launchers import LAUNCHERS
from cluster.process_state import log_to, set_environment
from cluster.temporary import session_folder
from orchestrator.running.attempts import Attempts, Outcomes, RunSettings
from orchestrator.running.dispatcher import POLL_INTERVAL_S, Dispatcher
from orchestrator.running.equal_failures import EqualFailures
from orchestrator.running.periodic import PeriodicCall, called_periodically
from orchestrator.running.rehearsal_files import rehearsal_files
from orchestrator.running.rehearsals import NO_REHEARSALS, Rehearsals
from orchestrator.running.rehearsed_run import RehearsedRun, RunParts, RunScope
from orchestrator.running.retry_policy import RetryPolicy
from orchestrator.running.run import Run
from orchestrator.running.signals import InterruptedRunError, ReceivedSignals, record_signals
from orchestrator.running.spending import READ_EVERY_S, Spending
from orchestrator.running.storage_pause import LOOK_EVERY_S, StoragePause
from orchestrator.running.trial_events import TrialEvent
from orchestrator.running.tune_hooks import TUNE_ENVIRONMENT, fit
from orchestrator.running.work import Work, requests_by_trial
from search_spaces.plan import Node
from search_spaces.worker_contract import LAUNCHER_NOTES
from trainables.needed_nodes import needed_nodes
from trainables.storage import layout
from trainables.storage.abandoned_leases import release_abandoned
from trainables.storage.probe import storage_trouble
from trainables.storage.store import Store
from trainables.task import TrialTask

BUDGET_EVERY_S = 60.0
"""Seconds between two looks at how much of its disk budget a study takes."""

DEMAND_EVERY_S = 10.0
"""Seconds between two looks at what an autoscaler is to be asked for."""

WATCHDOG_INTERVAL_S = 0.5
"""Seconds between two checks for processes whose heartbeat is overdue."""


logger = logging.getLogger(__name__)


def list_cluster_nodes() -> tuple[NodeResources, ...]:
    """List the nodes of the connected Ray cluster with their resources."""
    return node_resources(ray.nodes())


def list_hardware() -> tuple[str, ...]:
    """List the kinds of hardware of the connected Ray cluster."""
    return hardware_kinds(ray.nodes())


def run_trials(
    work: Sequence[Work],
    nodes: Mapping[str, Node],
    done: Iterable[str],
    tasks: Callable[[str], TrialTask],
    store: Store,
    settings: RunSettings,
    on_event: Callable[[TrialEvent], None] = lambda event: None,
    tell: Callable[[str], None] = lambda sentence: None,
    budget_trouble: Callable[[], str | None] = lambda: None,
    list_nodes: Callable[[], Sequence[NodeResources]] = list_cluster_nodes,
    rehearsals: Rehearsals = NO_REHEARSALS,
    placeable: Callable[[], tuple[str, ...]] | None = None,
    spent_before: Mapping[str, float | None] = MappingProxyType({}),
    demand: Demand | None = None,
) -> Outcomes:
    """Run trials on the connected Ray cluster, until each is done or has failed, or a signal comes.

    Args:
        work: the trials in plan order.
        nodes: the nodes of their paths; stages and features must have keys.
        done: ids of nodes whose results are known to be on storage.
        tasks: makes the task of a trial, at the moment it is dispatched.
        store: where tasks, results and leases are.
        settings: how the trials are run.
        on_event: called in this thread; it should return quickly.
        tell: shows a sentence about the run to people; called in any thread.
        budget_trouble: says why nothing may be started by the study's disk budget; called in any thread.
        list_nodes: lists the cluster's nodes, now and again; what its first call raises is raised here.
        rehearsals: of the shapes of these trials, which come first.
        spent_before: id of each trial of the study -> GPU-seconds of its result, None where it has none: what other
            runs spend on those counts, where GPU-seconds are limited.
        demand: is shown what trials need; None where no nodes come.
        placeable: returns the ids of the only nodes on which anything may be placed; None where all may be used.
    """
    if not work or (rehearsals.only and not rehearsals.planned):
        return Outcomes(not_started=tuple(item.trial_id for item in work))
    with ExitStack() as stack:
        received, scratch = stack.enter_context(_prepared_process(settings.study, store))
        launcher = LAUNCHERS[settings.launcher](settings.interface)
        release_abandoned(store)
        if (launcher_note := LAUNCHER_NOTES[settings.launcher]) is not None:
            tell(launcher_note)
        pause = StoragePause(
            lambda: budget_trouble() or storage_trouble(store, settings.storage_bytes),  # the second writes
            tell,
            settings.storage_patience_s,
        )
        calls = [
            PeriodicCall(LOOK_EVERY_S, pause.look_again),
            PeriodicCall(BUDGET_EVERY_S, lambda: pause.look(budget_trouble)),
        ]

        def connected(scope: RunScope) -> RunParts:
            ids = (item.trial_id for item in scope.work)
            attempts = Attempts(settings.study, ids, scope.tasks, scope.store, scope.show)
            dispatcher = Dispatcher(
                scope.work,
                scope.nodes,
                done,
                list_nodes(),
                scope.store,
                settings.study,
                scope.needed,
                attempts.prepare,
                settings.max_concurrent,
                () if demand is None else demand.may_come,
            )
            stack.enter_context(closing(dispatcher))
            equal_failures = EqualFailures(scope.work, scope.most_alike)
            policy = RetryPolicy(settings.budgets)
            run = Run(
                attempts,
                dispatcher,
                received,
                policy,
                equal_failures,
                pause,
                tell,
                scope.spending,
                keeps_groups=launcher.keeps_groups,
            )
            calls.extend(
                [
                    PeriodicCall(POLL_INTERVAL_S, dispatcher.poll_other_runs),
                    PeriodicCall(settings.renew_every_s, run.renew_leases),
                    PeriodicCall(settings.renew_every_s, lambda: dispatcher.resize(list_nodes())),
                    PeriodicCall(WATCHDOG_INTERVAL_S, run.kill_unresponsive),
                ]
            )
            return RunParts(attempts, dispatcher, run)

        def needed(trial: str) -> Collection[str]:
            return needed_nodes(tasks(trial), store, "shape")

        most_alike = settings.equal_failures
        known_s = {trial: seconds for trial, seconds in spent_before.items() if seconds is not None}
        spending = Spending(settings.gpu_seconds_left, before_s=known_s)
        if math.isfinite(settings.gpu_seconds_left):
            unscored = [trial for trial in spent_before if trial not in known_s]
            read_others = partial(spending.read_others, settings.study, unscored, store)
            calls.append(PeriodicCall(READ_EVERY_S, read_others))
        trials = connected(RunScope(work, nodes, tasks, store, on_event, needed, most_alike, spending))
        files = stack.enter_context(rehearsal_files(settings.study, store, rehearsals))
        rehearsed = RehearsedRun(rehearsals, files, trials, tell)
        rehearsing = connected(rehearsed.scope(tasks))
        rehearsed.rehearse_by(rehearsing.run)
        if demand is not None:
            stack.callback(_withdraw, demand)
            show = partial(_show_demand, demand, (rehearsing.dispatcher, trials.dispatcher))
            calls.append(PeriodicCall(DEMAND_EVERY_S, show))
        stack.enter_context(called_periodically(calls))
        try:
            pause.look(budget_trouble)
            requests = {**requests_by_trial(work), **rehearsed.requests}
            fit(rehearsed, requests, launcher, settings, store.place("."), str(scratch), rehearsed.storages, placeable)
        except InterruptedRunError as error:
            trials.run.interrupted(error)
    run = trials.run
    outcomes = trials.attempts.outcomes(received.first, run.storage_trouble, run.budget_spent, run.stopped)
    return replace(outcomes, rehearsals=rehearsed.outcomes, spent_s=spending.own_s)


def _show_demand(demand: Demand, dispatchers: Sequence[Dispatcher]) -> None:
    """Show the autoscaler what rehearsals and trials need."""
    demand.show(request for dispatcher in dispatchers for request in dispatcher.wanted())


def _withdraw(demand: Demand) -> None:
    """Take back what the autoscaler was asked for, unless Ray is gone, and the request with it."""
    try:
        demand.withdraw()
    except Exception as error:  # the run has ended whatever Ray raises
        logger.warning("what the autoscaler was asked for could not be taken back: %s", error)


@contextmanager
def _prepared_process(study: str, store: Store) -> Iterator[tuple[ReceivedSignals, Path]]:
    """Record signals, configure and quiet Tune, and make a folder for its files while the block runs.

    Tune only ever writes there from this process: what it would store for workers is switched off. So the folder is on
    this machine, and trouble with storage is none of Tune's.

    Yields the signals that have come, and the folder.
    """
    with (
        _log_file(store, layout.driver_log(study)) as log,
        log_to(log, ("ray", "orchestrator")),
        set_environment(TUNE_ENVIRONMENT),
        record_signals() as received,
        session_folder(Path(tempfile.gettempdir())) as scratch,
    ):
        yield received, scratch


@contextmanager
def _log_file(store: Store, name: str) -> Iterator[TextIOWrapper]:
    """Open a log while the block runs. What storage does not take of it, full or away, is lost without a word."""
    log = TextIOWrapper(BufferedWriter(store.append(name)), errors="backslashreplace")
    try:
        yield log
    finally:
        with suppress(OSError):
            log.close()
