"""Track the attempts of each trial of this run: their states, why they failed, and the events that a view shows.

A trial's last failure is `failure.json`; those before it are kept beside it, in order.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import assert_never

from cluster.launcher import MemberCode
from orchestrator.running.equal_failures import EQUAL_FAILURES, Stopped
from orchestrator.running.failure_files import next_number, put_blocked_aside, put_failure_aside, write_blocked
from orchestrator.running.leases import RENEW_EVERY_S
from orchestrator.running.rehearsals import RehearsalOutcome
from orchestrator.running.retry_policy import AfterStorage, Again, Budgets, GivenUp
from orchestrator.running.storage_pause import PATIENCE_S
from orchestrator.running.trial_events import AttemptFailed, Blocked, Dispatched, TrialEvent
from orchestrator.state.ledger import TrialState
from search_spaces.outcomes import AwaitsRoom, FailureKind, NodeDone, Progress, Started, TrialDone, UnitDone
from search_spaces.worker_contract import LauncherName
from trainables.smaller_batches import use_smaller_batches, with_smaller_batches
from trainables.storage import layout
from trainables.storage.record_files import read_or_redo, write
from trainables.storage.records import Failure, TrialResult
from trainables.storage.store import Store
from trainables.task import TrialTask

logger = logging.getLogger(__name__)

TRAINING = MemberCode("trainables.workers.worker:Worker")
"""The code that workers run: the loop of `trainables.run_trial`."""


@dataclass(frozen=True)
class RunSettings:
    """Settings with which the trials of a study are run."""

    study: str
    launcher: LauncherName = "gang"
    """Who starts the workers of a trial."""
    interface: str | None = None
    """Network interfaces over which workers on several hosts meet, separated by commas; None: each host decides."""
    code: MemberCode = TRAINING
    max_concurrent: int | None = None
    """Most trials at a time; None for as many as the cluster has resources for."""
    gpu_seconds_left: float = math.inf
    """No trial is dispatched once the study has spent so much since this run began."""
    renew_every_s: float = RENEW_EVERY_S
    """Seconds between two renewals of the leases, and between two listings of the cluster's nodes."""
    budgets: Budgets = field(default_factory=Budgets)
    """How often a trial is tried again."""
    equal_failures: int = EQUAL_FAILURES
    """Failures of one signature after which what they share is not started any more; 0 for never."""
    storage_patience_s: float = PATIENCE_S
    """Longest time that the run waits for a storage that is away or full."""
    storage_bytes: int = 1_000_000
    """Free bytes without which a storage that was full is not used again: what a trial writes at a time."""


@dataclass(frozen=True)
class Outcomes:
    """Outcomes of the trials. `killed` were running when a signal came; `not_started` had not been dispatched."""

    done: tuple[str, ...] = ()
    failed: Mapping[str, Failure] = field(default_factory=dict)
    killed: tuple[str, ...] = ()
    not_started: tuple[str, ...] = ()
    signal: int | None = None
    storage_trouble: str | None = None
    """What was wrong with storage when the run stopped waiting for it; no trial was dispatched after that."""
    stopped: tuple[Stopped, ...] = ()
    """What was not started any more, because it failed alike."""
    budget_spent: bool = False
    """Whether trials were left because those before them had spent all GPU-seconds."""
    spent_s: float = 0.0
    """GPU-seconds that the trials have taken; workers count where there are no GPUs."""
    rehearsals: tuple[RehearsalOutcome, ...] = ()
    """What became of the shapes of trials that were rehearsed first."""
    groups_started: int = 0
    groups_reused: int = 0


@dataclass
class _Latest:
    """The latest attempt of a trial."""

    task: TrialTask
    done: set[str] = field(default_factory=set)
    """Nodes of its path that it has reported as done."""
    earlier: TrialResult | None = None
    """The trial's result when the attempt began, of other benchmarks or of scores that were damaged say."""
    node_id: str | None = None
    host: str | None = None


class Attempts:
    """The attempts of a run, one of each trial at a time. For the main thread only, except `record`.

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
        self._latest: dict[str, _Latest] = {}
        self._groups = {True: 0, False: 0}

    @property
    def running(self) -> tuple[str, ...]:
        """Ids of the trials that have been dispatched and have not ended."""
        return self._in("running")

    def prepare(self, trial: str, leased: tuple[str, ...]) -> None:
        """Write the task of a trial that is about to be dispatched, and put the failure of an earlier attempt aside.

        Args:
            trial: its id.
            leased: ids of the nodes that the run holds the leases of, so that the trial may produce them.
        """
        put_failure_aside(self._store, self._study, trial)
        task = with_smaller_batches(self._tasks(trial), self._store)
        task = task.model_copy(update={"attempt": next_number(self._store, self._study, trial), "leased": leased})
        write(self._store, layout.trial_task(self._study, trial), task)
        self._latest[trial] = _Latest(task, earlier=self.result(trial))
        self._states[trial] = "running"
        self._announce(trial, Dispatched())

    def placed(self, trial: str, node_id: str, host: str) -> None:
        """Note on which node the process of a trial runs."""
        self._latest[trial].node_id, self._latest[trial].host = node_id, host

    def node_of(self, trial: str) -> str | None:
        """Return Ray's id of the node on which the latest attempt runs, or ran; None if it was never placed."""
        return self._latest[trial].node_id if trial in self._latest else None

    def progressed(self, trial: str, event: Started | AwaitsRoom | UnitDone | NodeDone) -> None:
        """Announce that a worker process has started the trial, or made progress with it."""
        match event:
            case Started():
                self._groups[event.fresh_group] += 1
            case NodeDone(node):
                self._latest[trial].done.add(node)
            case UnitDone() | AwaitsRoom():
                pass
            case _:
                assert_never(event)
        self._announce(trial, event)

    def result(self, trial: str) -> TrialResult | None:
        """Read the trial's result, whole; None if there is none. A damaged one is none, and a warning names it."""
        return read_or_redo(self._store, layout.trial_result(self._study, trial), TrialResult)

    def new_result(self, trial: str) -> TrialResult | None:
        """Read the result that the latest attempt has left; None if it has left none, or storage cannot be read."""
        try:
            result = self.result(trial)
        except OSError as error:
            logger.warning("%s: whether it has a result cannot be told: %s", trial, error)
            return None
        return None if result == self._latest[trial].earlier else result

    def done(self, trial: str) -> None:
        """Mark a trial as done: its result is on storage."""
        self._states[trial] = "done"
        self._announce(trial, TrialDone())

    def failed(self, trial: str, failure: Failure, given_up: GivenUp) -> None:
        """Mark a trial as failed, for good as far as this run goes."""
        self._states[trial] = "failed"
        self._failures[trial] = failure
        self._announce(trial, AttemptFailed(failure, given_up))

    def blocked(self, trial: str, failure: Failure, *, keeps_own: bool) -> None:
        """Mark a trial as failed that was never dispatched, as the rehearsal of its shape has failed.

        Args:
            trial: id.
            failure: of the rehearsal.
            keeps_own: whether an earlier failure of the trial itself stays what storage says of it.
        """
        own = write_blocked(self._store, self._study, trial, failure, keeps_own=keeps_own)
        self._states[trial], self._failures[trial] = "failed", own
        self._announce(trial, Blocked(own))

    def unblock(self, trial: str) -> None:
        """Put the failure aside that an earlier rehearsal of a trial's shape has left, as the shape runs now."""
        put_blocked_aside(self._store, self._study, trial)

    def again(self, trial: str, failure: Failure, follows: Again | AfterStorage) -> None:
        """Mark a trial as one that will be tried again, and put its failure beside those of its earlier attempts."""
        self._states[trial] = "pending"
        try:
            put_failure_aside(self._store, self._study, trial)
        except OSError as error:  # it is put aside when the next attempt begins
            logger.warning("%s: its failure stays where it is: %s", trial, error)
        self._announce(trial, AttemptFailed(failure, follows))

    def use_smaller_batches(self, trial: str, failure: Failure) -> Failure | None:
        """Have work that ran out of memory keep less on a device at once from now on.

        Returns:
            The failure with what the next attempt does differently; None if nothing smaller is left to try.
        """
        latest = self._latest.get(trial)
        remedy = use_smaller_batches(latest.task, failure.during, self._store) if latest and failure.during else None
        if remedy is None:
            return None
        remedied = replace(failure, remedy=remedy)
        write(self._store, layout.trial_failure(self._study, trial), remedied)
        return remedied

    def record(self, trial: str, kind: FailureKind, message: str, traceback: str = "") -> Failure:
        """Write a failure to storage, unless there is one already or storage takes none. Safe in any thread.

        Args:
            trial: its id.
            kind: of the failure.
            message: one line for people.
            traceback: of the exception, if there was one.

        Returns:
            The failure that is on storage, or would be.
        """
        name = layout.trial_failure(self._study, trial)
        log = layout.worker_log(self._study, trial, 0)
        now = int(time.time() * 1000)
        failure = Failure(trial=trial, kind=kind, message=message, traceback=traceback, log=log, ts=now)
        if (latest := self._latest.get(trial)) is not None:
            during, attempt = latest.task.during(latest.done), latest.task.attempt
            failure = replace(failure, attempt=attempt, during=during, host=latest.host, node_id=latest.node_id)
        try:
            recorded = read_or_redo(self._store, name, Failure)
            if recorded is not None:
                return recorded
            write(self._store, name, failure)
        except OSError as error:
            logger.warning("%s: its failure (%s: %s) was not recorded: %s", trial, kind, message, error)
        return failure

    def outcomes(
        self,
        signal: int | None = None,
        storage_trouble: str | None = None,
        budget_spent: bool = False,
        stopped: tuple[Stopped, ...] = (),
    ) -> Outcomes:
        """Summarise the run.

        Args:
            signal: number of the one that ended it; None if none did.
            storage_trouble: what was wrong with storage when the run stopped waiting for it; None if it did not.
            budget_spent: whether no trial was dispatched any more for want of GPU-seconds.
            stopped: what was not started any more, because it failed alike.
        """
        killed = {trial for trial, failure in self._failures.items() if failure.kind == "killed"}
        return Outcomes(
            done=self._in("done"),
            failed={trial: failure for trial, failure in self._failures.items() if trial not in killed},
            killed=tuple(trial for trial in self._in("failed") if trial in killed),
            not_started=self._in("pending"),
            signal=signal,
            storage_trouble=storage_trouble,
            stopped=stopped,
            budget_spent=budget_spent and bool(self._in("pending")),
            groups_started=self._groups[True],
            groups_reused=self._groups[False],
        )

    def _in(self, state: TrialState) -> tuple[str, ...]:
        return tuple(trial for trial, current in self._states.items() if current == state)

    def _announce(
        self, trial: str, event: Dispatched | Started | AwaitsRoom | Progress | AttemptFailed | Blocked
    ) -> None:
        self._on_event(TrialEvent(trial, time.time(), event))
