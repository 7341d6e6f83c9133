"""Track one attempt of each trial of this run: its state, why it failed, and the events that a view shows."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from cluster.launcher import MemberCode
from cluster.launchers import LauncherName
from orchestrator.running.leases import RENEW_EVERY_S
from orchestrator.state.ledger import TrialState
from search_spaces.full_storage import is_full
from search_spaces.outcomes import FailureKind, NodeDone, Progress, Started, TrialDone, UnitDone
from trainables.smaller_batches import with_smaller_batches
from trainables.storage import layout
from trainables.storage.record_files import read_or_redo, write
from trainables.storage.records import Failure, TrialResult
from trainables.storage.store import Store
from trainables.task import TrialTask

TRAINING = MemberCode("trainables.workers.worker:Worker")
"""The code that workers run: the loop of `trainables.run_trial`."""


@dataclass(frozen=True)
class RunSettings:
    """Settings with which the trials of a study are run."""

    study: str
    launcher: LauncherName = "gang"
    """Who starts the workers of a trial."""
    code: MemberCode = TRAINING
    max_concurrent: int | None = None
    """Most trials at a time; None for as many as the cluster has resources for."""
    gpu_seconds_left: float = math.inf
    """No trial is dispatched once those that were done in this run have spent so much."""
    renew_every_s: float = RENEW_EVERY_S
    """Seconds between two renewals of the leases, and between two listings of the cluster's nodes."""


@dataclass(frozen=True)
class Dispatched:
    """The trial has been handed to Tune, which starts it as soon as its workers can be placed."""


@dataclass(frozen=True)
class AttemptFailed:
    """The attempt ended before its time; of kind `killed` if a signal stopped the run."""

    failure: Failure


@dataclass(frozen=True)
class TrialEvent:
    """An event of a trial, for a live view."""

    trial: str
    at: float
    """Seconds since the epoch."""
    event: Dispatched | Started | Progress | AttemptFailed


@dataclass(frozen=True)
class Outcomes:
    """Outcomes of the trials. `killed` were running when a signal came; `not_started` had not been dispatched."""

    done: tuple[str, ...] = ()
    failed: Mapping[str, Failure] = field(default_factory=dict)
    killed: tuple[str, ...] = ()
    not_started: tuple[str, ...] = ()
    signal: int | None = None
    storage_full: str | None = None
    """What the file system said when no space was left; no trial was dispatched after that."""
    budget_spent: bool = False
    """Whether trials were left because those before them had spent all GPU-seconds."""
    groups_started: int = 0
    groups_reused: int = 0


class Attempts:
    """The attempts of a run, one of each trial. For the main thread only, except `record`.

    Args:
        study: its name, which is its folder on storage.
        trials: ids of the trials of this run, in plan order.
        tasks: makes the task of a trial, at the moment it is dispatched.
        store: where tasks and failures are written.
        on_event: called in the calling thread; it should return quickly.
    """

    def __init__(
        self,
        study: str,
        trials: Iterable[str],
        tasks: Callable[[str], TrialTask],
        store: Store,
        on_event: Callable[[TrialEvent], None],
    ):
        self._study, self._tasks, self._store, self._on_event = study, tasks, store, on_event
        self._states: dict[str, TrialState] = dict.fromkeys(trials, "pending")
        self._failures: dict[str, Failure] = {}
        self._groups = {True: 0, False: 0}
        self.gpu_seconds = 0.0
        """Spent by the trials that are done."""

    @property
    def running(self) -> tuple[str, ...]:
        """Ids of the trials that have been dispatched and have not ended."""
        return self._in("running")

    def prepare(self, trial: str) -> None:
        """Write the task of a trial that is about to be dispatched, and remove the failure of an earlier attempt."""
        self._store.remove(layout.trial_failure(self._study, trial))
        task = with_smaller_batches(self._tasks(trial), self._store)
        write(self._store, layout.trial_task(self._study, trial), task)
        self._states[trial] = "running"
        self._announce(trial, Dispatched())

    def progressed(self, trial: str, event: Started | UnitDone | NodeDone) -> None:
        """Announce that a worker process has started the trial, or made progress with it."""
        if isinstance(event, Started):
            self._groups[event.fresh_group] += 1
        self._announce(trial, event)

    def result(self, trial: str) -> TrialResult | None:
        """Read the trial's result, whole; None if there is none. A damaged one is none, and a warning names it."""
        return read_or_redo(self._store, layout.trial_result(self._study, trial), TrialResult)

    def done(self, trial: str, gpu_seconds: float = 0.0) -> None:
        """Mark a trial as done: its process reported so, and its result, with what it has spent, is on storage."""
        self.gpu_seconds += gpu_seconds
        self._states[trial] = "done"
        self._announce(trial, TrialDone())

    def failed(self, trial: str, kind: FailureKind, message: str, traceback: str = "") -> Failure:
        """Mark a trial as failed. A failure that its process has recorded holds; else this one is recorded.

        Args:
            trial: its id.
            kind: of the failure.
            message: one line for people.
            traceback: of the exception, if there was one.

        Returns:
            The failure that holds.
        """
        failure = self.record(trial, kind, message, traceback)
        self._states[trial] = "failed"
        self._failures[trial] = failure
        self._announce(trial, AttemptFailed(failure))
        return failure

    def record(self, trial: str, kind: FailureKind, message: str, traceback: str = "") -> Failure:
        """Write a failure to storage, unless there is one already or no space is left. Safe in any thread.

        Args:
            trial: its id.
            kind: of the failure.
            message: one line for people.
            traceback: of the exception, if there was one.

        Returns:
            The failure that is on storage, or would be.
        """
        name = layout.trial_failure(self._study, trial)
        recorded = read_or_redo(self._store, name, Failure)
        if recorded is not None:
            return recorded
        log = layout.worker_log(self._study, trial, 0)
        now = int(time.time() * 1000)
        failure = Failure(trial=trial, kind=kind, message=message, traceback=traceback, log=log, ts=now)
        try:
            write(self._store, name, failure)
        except OSError as error:
            if not is_full(error):
                raise
        return failure

    def outcomes(self, signal: int | None, storage_full: str | None, budget_spent: bool = False) -> Outcomes:
        """Summarise the run.

        Args:
            signal: number of the one that ended it; None if none did.
            storage_full: what the file system said when no space was left; None if that did not happen.
            budget_spent: whether no trial was dispatched any more for want of GPU-seconds.
        """
        killed = {trial for trial, failure in self._failures.items() if failure.kind == "killed"}
        return Outcomes(
            done=self._in("done"),
            failed={trial: failure for trial, failure in self._failures.items() if trial not in killed},
            killed=tuple(trial for trial in self._in("failed") if trial in killed),
            not_started=self._in("pending"),
            signal=signal,
            storage_full=storage_full,
            budget_spent=budget_spent and bool(self._in("pending")),
            groups_started=self._groups[True],
            groups_reused=self._groups[False],
        )

    def _in(self, state: TrialState) -> tuple[str, ...]:
        return tuple(trial for trial, current in self._states.items() if current == state)

    def _announce(self, trial: str, event: Dispatched | Started | Progress | AttemptFailed) -> None:
        self._on_event(TrialEvent(trial, time.time(), event))
