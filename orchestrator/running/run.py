"""Connect one run of trials to Ray Tune: pass what Tune reports of a trial on to those whom it concerns.

These are the attempts (the state of each trial), the dispatcher (what may start next) and the watchdog (when the next
heartbeat of each process is due).
"""

from __future__ import annotations

import logging
import math
import time
from typing import Literal, assert_never

from cluster.watchdog import Process, Watchdog, kill_in_cluster
from orchestrator.running.attempts import Attempts
from orchestrator.running.dispatcher import Dispatcher
from orchestrator.running.schedule import FINISHED, Finished
from orchestrator.running.signals import InterruptedRunError, ReceivedSignals
from search_spaces.full_storage import is_full
from search_spaces.outcomes import FailureKind, NodeDone, Started, TrialDone, UnitDone
from trainables.workers.tune_result import TuneResult

logger = logging.getLogger(__name__)


class Run:
    """One run of trials. For the main thread only, except the methods that say otherwise."""

    def __init__(
        self,
        attempts: Attempts,
        dispatcher: Dispatcher,
        received: ReceivedSignals,
        gpu_seconds_left: float = math.inf,
    ):
        self._attempts, self._dispatcher, self._received = attempts, dispatcher, received
        self._gpu_seconds_left = gpu_seconds_left
        self._watchdog = Watchdog()
        self.storage_full: str | None = None
        """What the file system said when no space was left; nothing is dispatched after that."""
        self._lost: set[str] = set()

    def next(self) -> str | Literal[Finished.FINISHED] | None:
        """Dispatch a trial and return its id; None if none can start now.

        FINISHED if none is left, if the storage is full (further trials would fail alike), or if the trials that are
        done have spent all GPU-seconds of this run.

        Raises:
            InterruptedRunError: if a signal has come.
        """
        self._received.raise_if_any()
        if self.storage_full is None and not self.budget_spent:
            try:
                return self._dispatcher.next()
            except OSError as error:
                if not is_full(error):
                    raise
                self.storage_full = error.strerror or str(error)
        return FINISHED

    @property
    def budget_spent(self) -> bool:
        """Whether the trials that are done have spent all GPU-seconds of this run."""
        return self._attempts.gpu_seconds >= self._gpu_seconds_left

    def raise_if_interrupted(self) -> None:
        """Raise InterruptedRunError if a signal has come."""
        self._received.raise_if_any()

    def report(self, result: TuneResult) -> None:
        """Handle a report of a trial's process: it is a heartbeat, and tells what has happened."""
        trial, event = result.trial, result.event
        process = Process(result.node_id, result.pid, result.process_started)
        self._watchdog.heartbeat(trial, process, time.monotonic(), result.timeout_s)
        match event:
            case Started() | UnitDone():
                self._attempts.progressed(trial, event)
            case NodeDone(node):
                if not self._dispatcher.node_done(node):
                    logger.warning("%s says that %s is done, but storage has no result", trial, node)
                self._attempts.progressed(trial, event)
            case TrialDone():
                pass  # Tune calls `completed` next
            case _:
                assert_never(event)

    def completed(self, result: TuneResult) -> None:
        """End a trial that Tune counts as finished: its last result says so, or it was stopped for a lost lease."""
        trial = result.trial
        if not isinstance(result.event, TrialDone):
            self.failed(trial, "lost", "a lease on its work was taken over by another run", group_kept=True)
        elif (outcome := self._attempts.result(trial)) is None:
            self.failed(trial, "error", "the trial ended without leaving a result", group_kept=True)
        else:
            self._watchdog.forget(trial)
            self._dispatcher.ended(trial, group_kept=True)
            self._attempts.done(trial, outcome.cost.gpu_seconds)

    def failed(
        self, trial: str, kind: FailureKind, message: str, traceback: str = "", *, group_kept: bool = False
    ) -> None:
        """End a trial that has failed. A failure that its process has recorded holds; else this one is recorded.

        Args:
            trial: its id.
            kind: of the failure.
            message: one line for people.
            traceback: of the exception, if there was one.
            group_kept: whether its workers still run and can serve another trial.
        """
        self._watchdog.forget(trial)
        if self._attempts.failed(trial, kind, message, traceback).kind == "full":
            self.storage_full = message
        self._dispatcher.ended(trial, group_kept=group_kept)

    def interrupted(self, error: InterruptedRunError) -> None:
        """Release what this run held, after a signal: no process works on it any more, so others may take it."""
        self._dispatcher.close()
        for trial in self._attempts.running:
            self._attempts.failed(trial, "killed", f"the run was stopped by {error}")

    def has_lost_lease(self, trial: str) -> bool:
        """Return whether another run has taken over what this trial produces, so that it must stop."""
        return trial in self._lost

    def renew_leases(self) -> None:
        """Renew all leases. Called by a thread."""
        self._lost.update(self._dispatcher.renew())

    def kill_unresponsive(self) -> None:
        """Kill processes whose heartbeat is overdue. Called by a thread; Tune then finds them gone."""
        for missed in self._watchdog.expired(time.monotonic()):
            message = f"its process (pid {missed.process.pid}) gave no sign for {missed.seconds:.0f} s"
            self._attempts.record(missed.name, "hung", message)
            kill_in_cluster(missed.process)
