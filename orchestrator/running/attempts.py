"""What is known of each trial of this run: its state, why it failed, and the events that a view shows."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from cluster.gang import Gang
from cluster.launcher import Launcher, MemberCode
from orchestrator.running.leases import RENEW_EVERY_S
from trainables.storage import layout
from trainables.storage.record_files import read_or_redo, write
from trainables.storage.records import Failure, Progress, TrialResult
from trainables.storage.store import Store
from trainables.task import TrialTask

FailureKind = Literal["lost", "hung", "error", "memory", "killed"]


TRAINING = MemberCode("trainables.workers.worker:Worker")
"""What workers run: the loop of `trainables.run_trial`."""


@dataclass(frozen=True)
class RunSettings:
    """How the trials of a study are run."""

    study: str
    launcher: Launcher = field(default_factory=Gang)
    code: MemberCode = TRAINING
    max_concurrent: int | None = None
    """Most trials at a time, besides what the cluster has room for."""
    renew_every_s: float = RENEW_EVERY_S
    """How often leases are renewed, and the cluster is asked for its nodes."""


@dataclass(frozen=True)
class TrialEvent:
    """Something that happened to a trial, for a live view."""

    kind: Literal["handed-out", "started", "progress", "node-done", "done", "failed", "killed"]
    trial: str
    at: float
    """Seconds since the epoch."""
    progress: Progress = field(default_factory=lambda: Progress())
    failure: Failure | None = None


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
        self._states: dict[str, str] = dict.fromkeys(trials, "waiting")
        self._failures: dict[str, Failure] = {}
        self._groups = {True: 0, False: 0}

    @property
    def running(self) -> tuple[str, ...]:
        """Trials that have been handed out and have not ended."""
        return self._in("running")

    def prepare(self, trial: str) -> None:
        """Write the task of a trial that is about to be handed out, and forget the failure of an earlier attempt."""
        self._store.remove(layout.trial_failure(self._study, trial))
        task = self._tasks(trial)
        self._store.put(layout.trial_task(self._study, trial), task.model_dump_json(indent=1).encode())
        self._states[trial] = "running"
        self._tell("handed-out", trial)

    def started(self, trial: str, fresh_group: bool) -> None:
        """A worker process has taken the trial up, with a group of its own or with that of an earlier trial."""
        self._groups[fresh_group] += 1
        self._tell("started", trial)

    def advanced(self, trial: str, progress: Progress) -> None:
        self._tell("progress", trial, progress)

    def node_done(self, trial: str, progress: Progress) -> None:
        self._tell("node-done", trial, progress)

    def has_result(self, trial: str) -> bool:
        """Return whether the trial's result is on storage, whole. A damaged one is none, and a warning names it."""
        return read_or_redo(self._store, layout.trial_result(self._study, trial), TrialResult) is not None

    def done(self, trial: str) -> None:
        self._states[trial] = "done"
        self._tell("done", trial)

    def failed(self, trial: str, kind: FailureKind, message: str, traceback: str = "") -> None:
        """An attempt has failed. What was recorded where it happened holds; else this is recorded."""
        failure = self.record(trial, kind, message, traceback)
        self._states[trial] = "failed"
        self._failures[trial] = failure
        self._tell("failed", trial, failure=failure)

    def killed(self, trial: str, message: str) -> None:
        """An attempt was ended by a signal to this run."""
        failure = self.record(trial, "killed", message)
        self._states[trial] = "killed"
        self._tell("killed", trial, failure=failure)

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
        return Outcomes(
            done=self._in("done"),
            failed=dict(self._failures),
            killed=self._in("killed"),
            not_started=self._in("waiting"),
            signal=signal,
            groups_started=self._groups[True],
            groups_reused=self._groups[False],
        )

    def _in(self, state: str) -> tuple[str, ...]:
        return tuple(trial for trial, current in self._states.items() if current == state)

    def _tell(self, kind: Any, trial: str, progress: Progress | None = None, failure: Failure | None = None) -> None:
        self._on_event(TrialEvent(kind, trial, time.time(), progress or Progress(), failure))
