"""What is known of each trial of this run: its state, why it failed, and the events that a view shows."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from cluster.launcher import MemberCode
from cluster.launchers import LauncherName
from orchestrator.running.leases import RENEW_EVERY_S
from orchestrator.state.ledger import TrialState
from search_spaces.outcomes import FailureKind, NodeDone, Progress, Started, TrialDone, UnitDone
from trainables.storage import layout
from trainables.storage.record_files import read_or_redo, write
from trainables.storage.records import Failure, TrialResult
from trainables.storage.store import Store
from trainables.task import TrialTask

TRAINING = MemberCode("trainables.workers.worker:Worker")
"""What workers run: the loop of `trainables.run_trial`."""


@dataclass(frozen=True)
class RunSettings:
    """How the trials of a study are run."""

    study: str
    launcher: LauncherName = "gang"
    """Who starts the workers of a trial."""
    code: MemberCode = TRAINING
    max_concurrent: int | None = None
    """Most trials at a time, besides what the cluster has room for."""
    renew_every_s: float = RENEW_EVERY_S
    """How often leases are renewed, and the cluster is asked for its nodes."""


@dataclass(frozen=True)
class HandedOut:
    """The trial is now this run's to do."""


@dataclass(frozen=True)
class AttemptFailed:
    """The attempt ended before its time; of kind `killed` if a signal stopped the run."""

    failure: Failure


@dataclass(frozen=True)
class TrialEvent:
    """Something that happened to a trial, for a live view."""

    trial: str
    at: float
    """Seconds since the epoch."""
    event: HandedOut | Started | Progress | AttemptFailed


@dataclass(frozen=True)
class Outcomes:
    """What became of the trials. `killed` were running when a signal came; `not_started` had not been handed out."""

    done: tuple[str, ...] = ()
    failed: Mapping[str, Failure] = field(default_factory=dict)
    killed: tuple[str, ...] = ()
    not_started: tuple[str, ...] = ()
    signal: int | None = None
    groups_started: int = 0
    groups_reused: int = 0


class Attempts:
    """One attempt of each trial. Touched by the main thread only, but for `record`.

    Args:
        trials: ids of the trials of this run, in plan order.
        tasks: makes the task of a trial, at the moment it is handed out.
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

    @property
    def running(self) -> tuple[str, ...]:
        """Ids of the trials that have been handed out and have not ended."""
        return self._in("running")

    def prepare(self, trial: str) -> None:
        """Write the task of a trial that is about to be handed out, and forget the failure of an earlier attempt."""
        self._store.remove(layout.trial_failure(self._study, trial))
        write(self._store, layout.trial_task(self._study, trial), self._tasks(trial))
        self._states[trial] = "running"
        self._announce(trial, HandedOut())

    def progressed(self, trial: str, event: Started | UnitDone | NodeDone) -> None:
        """Announce that a worker process has taken the trial up, or got further with it."""
        if isinstance(event, Started):
            self._groups[event.fresh_group] += 1
        self._announce(trial, event)

    def has_result(self, trial: str) -> bool:
        """Return whether the trial's result is on storage, whole. A damaged one is none, and a warning names it."""
        return read_or_redo(self._store, layout.trial_result(self._study, trial), TrialResult) is not None

    def done(self, trial: str) -> None:
        """Count a trial as done: its process said so, and its result is on storage."""
        self._states[trial] = "done"
        self._announce(trial, TrialDone())

    def failed(self, trial: str, kind: FailureKind, message: str, traceback: str = "") -> None:
        """Count a trial as failed. A failure recorded where it happened holds; else this one is recorded."""
        failure = self.record(trial, kind, message, traceback)
        self._states[trial] = "failed"
        self._failures[trial] = failure
        self._announce(trial, AttemptFailed(failure))

    def record(self, trial: str, kind: FailureKind, message: str, traceback: str = "") -> Failure:
        """Put a failure on storage, unless there is one already; returns the one that is there. Safe in any thread."""
        name = layout.trial_failure(self._study, trial)
        recorded = read_or_redo(self._store, name, Failure)
        if recorded is not None:
            return recorded
        log = layout.worker_log(self._study, trial, 0)
        now = int(time.time() * 1000)
        failure = Failure(trial=trial, kind=kind, message=message, traceback=traceback, log=log, ts=now)
        write(self._store, name, failure)
        return failure

    def outcomes(self, signal: int | None) -> Outcomes:
        """Sum up the run. `signal` is the number of the one that ended it, or None."""
        killed = {trial for trial, failure in self._failures.items() if failure.kind == "killed"}
        return Outcomes(
            done=self._in("done"),
            failed={trial: failure for trial, failure in self._failures.items() if trial not in killed},
            killed=tuple(trial for trial in self._in("failed") if trial in killed),
            not_started=self._in("pending"),
            signal=signal,
            groups_started=self._groups[True],
            groups_reused=self._groups[False],
        )

    def _in(self, state: TrialState) -> tuple[str, ...]:
        return tuple(trial for trial, current in self._states.items() if current == state)

    def _announce(self, trial: str, event: HandedOut | Started | Progress | AttemptFailed) -> None:
        self._on_event(TrialEvent(trial, time.time(), event))
