"""One run of trials: what Tune reports of a trial goes to those whom it concerns.

These are the attempts (what is known of each trial), the hand-out (what may start next) and the watchdog (which process
must give its next sign until when).
"""

from __future__ import annotations

import logging
import time
from typing import Literal, assert_never

from cluster.watchdog import Process, Watchdog, kill_in_cluster
from orchestrator.running.attempts import Attempts
from orchestrator.running.hand_out import HandOut
from orchestrator.running.schedule import Finished
from orchestrator.running.signals import InterruptedRunError, ReceivedSignals
from search_spaces.outcomes import FailureKind, NodeDone, Started, TrialDone, UnitDone
from trainables.workers.tune_result import TuneResult

logger = logging.getLogger(__name__)


class Run:
    """Main thread, but for the methods that say so."""

    def __init__(self, attempts: Attempts, hand_out: HandOut, received: ReceivedSignals):
        self._attempts, self._hand_out, self._received = attempts, hand_out, received
        self._watchdog = Watchdog()
        self._lost: set[str] = set()

    def next(self) -> str | Literal[Finished.FINISHED] | None:
        """Return the id of a trial that is now this run's to do; None: ask again; FINISHED: there will be none.

        Raises InterruptedRunError if a signal has come.
        """
        self._received.raise_if_any()
        return self._hand_out.next()

    def raise_if_interrupted(self) -> None:
        """Raise InterruptedRunError if a signal has come."""
        self._received.raise_if_any()

    def report(self, result: TuneResult) -> None:
        """Take a report of a trial's process: a sign of life, and what has happened."""
        trial, event = result.trial, result.event
        process = Process(result.node_id, result.pid, result.process_started)
        self._watchdog.note(trial, process, time.monotonic(), result.patience_s)
        match event:
            case Started() | UnitDone():
                self._attempts.progressed(trial, event)
            case NodeDone(node):
                if not self._hand_out.node_done(node):
                    logger.warning("%s says that %s is done, but storage has no result", trial, node)
                self._attempts.progressed(trial, event)
            case TrialDone():
                pass  # Tune takes the trial for completed next
            case _:
                assert_never(event)

    def completed(self, result: TuneResult) -> None:
        """End a trial that Tune takes for finished: its last result says so, or it was stopped for a lost lease."""
        trial = result.trial
        if not isinstance(result.event, TrialDone):
            self.failed(trial, "lost", "a lease on its work was taken over by another run", group_kept=True)
        elif not self._attempts.has_result(trial):
            self.failed(trial, "error", "the trial ended without leaving a result", group_kept=True)
        else:
            self._watchdog.forget(trial)
            self._hand_out.ended(trial, group_kept=True)
            self._attempts.done(trial)

    def failed(
        self, trial: str, kind: FailureKind, message: str, traceback: str = "", *, group_kept: bool = False
    ) -> None:
        """End a trial that has failed. A failure recorded where it happened holds; else this one is recorded."""
        self._watchdog.forget(trial)
        self._attempts.failed(trial, kind, message, traceback)
        self._hand_out.ended(trial, group_kept=group_kept)

    def interrupted(self, error: InterruptedRunError) -> None:
        """Give back what this run held, after a signal: no process works on it any more, so others may take it."""
        self._hand_out.close()
        for trial in self._attempts.running:
            self._attempts.failed(trial, "killed", f"the run was stopped by {error}")

    def has_lost_lease(self, trial: str) -> bool:
        """Return whether another run has taken over what this trial produces, so that it must stop."""
        return trial in self._lost

    def renew_leases(self) -> None:
        """Give a sign of life for all leases. Called by a thread."""
        self._lost.update(self._hand_out.renew())

    def end_silent(self) -> None:
        """End processes that should have given a sign by now. Called by a thread; Tune then finds them gone."""
        for silence in self._watchdog.silent(time.monotonic()):
            message = f"its process (pid {silence.process.pid}) gave no sign for {silence.seconds:.0f} s"
            self._attempts.record(silence.name, "hung", message)
            kill_in_cluster(silence.process)
