"""Connect one run of trials to Ray Tune: pass what Tune reports of a trial on to those whom it concerns.

These are the attempts (the state of each trial), the dispatcher (what may start next), the watchdog (when the next
heartbeat of each process is due), and what decides on failures: budgets, equal failures, and the state of storage.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Literal, assert_never

from cluster.process import Process, has_killed_since
from cluster.stack_dump import dump_in_cluster
from cluster.watchdog import Watchdog, kill_in_cluster
from orchestrator.running.attempts import Attempts
from orchestrator.running.dispatcher import Dispatcher
from orchestrator.running.equal_failures import EqualFailures, Stopped
from orchestrator.running.retry_policy import TOLD_OF_PREEMPTIONS, AfterStorage, Again, Decision, GivenUp, RetryPolicy
from orchestrator.running.schedule import FINISHED, Finished
from orchestrator.running.signals import InterruptedRunError, ReceivedSignals
from orchestrator.running.spending import Spending
from orchestrator.running.storage_pause import StoragePause
from orchestrator.state.failures import signature
from search_spaces.error_text import first_line
from search_spaces.full_storage import is_full
from search_spaces.outcomes import AwaitsRoom, FailureKind, NodeDone, Started, TrialDone, UnitDone
from trainables.storage.records import Failure, TrialResult
from trainables.workers.tune_result import TuneResult

REFUSALS = 5
"""Dispatches in a row that storage refused, though it can be written to, after which the run ends: it would go on for
ever."""

logger = logging.getLogger(__name__)


class Run:
    """One run of trials. For the main thread only, except the methods that say otherwise.

    Args:
        attempts: states of the trials.
        dispatcher: what may start next.
        received: signals that have come.
        policy: what follows a failure.
        equal_failures: what is not started any more.
        pause: whether storage can be used.
        tell: shows a sentence to people.
        spending: what the study spends meanwhile, and may spend.
        keeps_groups: whether the workers of a trial serve the next one of equal resources.
    """

    def __init__(
        self,
        attempts: Attempts,
        dispatcher: Dispatcher,
        received: ReceivedSignals,
        policy: RetryPolicy,
        equal_failures: EqualFailures,
        pause: StoragePause,
        tell: Callable[[str], None],
        spending: Spending | None = None,
        *,
        keeps_groups: bool = True,
    ):
        self._attempts, self._dispatcher, self._received = attempts, dispatcher, received
        self._policy, self._equal_failures, self._pause, self._tell = policy, equal_failures, pause, tell
        self._spending = spending or Spending(math.inf)
        self._keeps_groups = keeps_groups
        self._watchdog = Watchdog()
        self._due: dict[str, tuple[float, tuple[str, ...]]] = {}
        """Trial that is tried again -> when, by the monotonic clock, and the nodes that it avoids."""
        self._refusals = 0
        self._stopped: dict[tuple[str, str], Stopped] = {}
        """By signature and shape."""
        self._lost: set[str] = set()
        self._oom_kills: dict[str, int | None] = {}
        self._heard_at: dict[str, float] = {}
        """Trial that runs -> when it was dispatched or last reported, by the monotonic clock."""

    @property
    def stopped(self) -> tuple[Stopped, ...]:
        """What is not started any more, because it failed alike."""
        return tuple(self._stopped.values())

    @property
    def storage_trouble(self) -> str | None:
        """What was wrong with storage when the run stopped waiting for it; None if it did not."""
        return self._pause.given_up

    def next(self) -> str | Literal[Finished.FINISHED] | None:
        """Dispatch a trial and return its id; None if none can start now.

        FINISHED if none is left, if storage was in trouble for too long, or if all GPU-seconds of this run are spent.

        Raises:
            InterruptedRunError: if a signal has come.
            OSError: if storage refuses to be written to again and again, while nothing is wrong with it.
        """
        self._received.raise_if_any()
        if self._pause.given_up is not None or self.budget_spent:
            return FINISHED
        if self._pause.is_on or not self._spending.allows_one_more(self._dispatcher.expected_gpu_seconds):
            return None
        self._resume_due()
        try:
            trial = self._dispatcher.next()
        except OSError as error:
            if self._pause.look() is None:
                self._refusals += 1
                logger.warning("storage has refused a trial (%d of %d): %s", self._refusals, REFUSALS, error)
                if self._refusals >= REFUSALS:
                    raise
            return None
        if isinstance(trial, str):
            self._refusals = 0
            self._heard_at[trial] = time.monotonic()
            self._spending.started(trial, self._dispatcher.devices(trial))
        return trial

    def stop_for_storage(self, error: Exception) -> bool:
        """Stop the run if an error came from a disk that is full, or while storage is in trouble; returns whether."""
        trouble = self._pause.look() or (first_line(error) if is_full(error) else None)
        if trouble is not None:
            self._pause.give_up(trouble)
        return trouble is not None

    def _resume_due(self) -> None:
        now = time.monotonic()
        for trial, (due, avoided) in list(self._due.items()):
            if due <= now:
                del self._due[trial]
                self._lost.discard(trial)
                self._dispatcher.resume(trial, avoided)

    @property
    def most_at_once(self) -> int:
        """Most trials that will run at a time from now on."""
        return self._dispatcher.most_at_once

    @property
    def not_running(self) -> int:
        """Number of the trials that are still to be dispatched, for the first time or again."""
        return self._dispatcher.not_running

    def avoided(self, trial: str) -> tuple[str, ...]:
        """Return the nodes on which a trial that was dispatched must not be placed."""
        return self._dispatcher.avoided(trial)

    def is_on_one_node(self, trial: str) -> bool:
        """Return whether all workers of a trial that was dispatched are placed on one node."""
        return self._dispatcher.is_on_one_node(trial)

    @property
    def budget_spent(self) -> bool:
        """Whether all GPU-seconds of this run are spent."""
        return self._spending.is_spent

    def raise_if_interrupted(self) -> None:
        """Raise InterruptedRunError if a signal has come."""
        self._received.raise_if_any()

    def report(self, result: TuneResult) -> None:
        """Handle a report of a trial's process: it is a heartbeat, and tells what has happened."""
        trial, event = result.trial, result.event
        process = Process(result.node_id, result.pid, result.process_started)
        self._heard_at[trial] = now_s = time.monotonic()
        self._watchdog.heartbeat(trial, process, now_s, result.timeout_s)
        self._attempts.placed(trial, result.node_id, result.host)
        self._oom_kills[trial] = result.oom_kills
        match event:
            case Started() | AwaitsRoom() | UnitDone():
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
            self._heard_at.pop(trial, None)
            self._policy.done(self._attempts.node_of(trial))
            self._dispatcher.ended(trial, group_kept=self._keeps_groups)
            self._done(trial, outcome)

    def _done(self, trial: str, outcome: TrialResult) -> None:
        self._spending.done(trial, outcome.cost.gpu_seconds)
        self._attempts.done(trial)

    def failed(
        self, trial: str, kind: FailureKind, message: str, traceback: str = "", *, group_kept: bool = False
    ) -> None:
        """End an attempt that has failed. A failure that its process has recorded holds; else this one is recorded.

        Args:
            trial: its id.
            kind: of the failure.
            message: one line for people.
            traceback: of the exception, if there was one.
            group_kept: whether its workers have not failed, and can serve another trial if groups are kept.
        """
        self._watchdog.forget(trial)
        self._spending.failed(trial)
        is_storage_in_trouble = self._was_storage_in_trouble(trial)
        node_id = self._attempts.node_of(trial)
        if kind == "lost" and not group_kept and node_id and has_killed_since(node_id, self._oom_kills.get(trial)):
            kind, message = "memory", "its process is gone: the kernel has killed for want of memory on its host"
        failure = self._attempts.record(trial, kind, message, traceback)
        remedied = None
        if failure.kind == "memory" and not is_storage_in_trouble:
            remedied = self._attempts.use_smaller_batches(trial, failure)
            failure = remedied or failure
        follows = self._policy.failed(
            trial,
            failure.kind,
            self._dispatcher.saved(trial),
            None if group_kept else failure.node_id,
            is_storage_in_trouble=is_storage_in_trouble,
            has_smaller=remedied is not None,
        )
        logger.warning(
            "%s failed (%s: %s), attempt %d: %s", trial, failure.kind, failure.message, failure.attempt, follows
        )
        self._follow(trial, failure, follows, group_kept and self._keeps_groups)

    def _was_storage_in_trouble(self, trial: str) -> bool:
        """Check whether storage is in trouble, or has been since the trial was last heard of.

        What a trial meets while storage is away may arrive here when storage is back.
        """
        heard_at = self._heard_at.pop(trial, math.inf)
        return self._pause.look() is not None or self._pause.was_on_since(heard_at)

    def _follow(self, trial: str, failure: Failure, follows: Decision, group_kept: bool) -> None:
        match follows:
            case Again(after_s, avoided=avoided, preemptions=preemptions):
                if preemptions == TOLD_OF_PREEMPTIONS:
                    self._tell(
                        f"{trial} was preempted {preemptions} times in a row without reaching a checkpoint. It is tried"
                        " on; a smaller resources.checkpoint_every_minutes, or machines that stay, would help."
                    )
                self._due[trial] = (time.monotonic() + after_s, avoided)
                self._attempts.again(trial, failure, follows)
                self._dispatcher.suspend(trial, group_kept=group_kept)
            case AfterStorage():
                self._due[trial] = (0.0, ())
                self._attempts.again(trial, failure, follows)
                self._dispatcher.suspend(trial, group_kept=group_kept)
            case GivenUp():
                self._attempts.failed(trial, failure, follows)
                self._dispatcher.ended(trial, group_kept=group_kept)
                self._stop_equals(trial, failure)
            case _:
                assert_never(follows)

    def _stop_equals(self, trial: str, failure: Failure) -> None:
        """Drop the trials that have all that the failed ones of this signature share."""
        alike = self._equal_failures.failed(trial, signature(failure))
        if alike is None:
            return
        dropped = self._dispatcher.drop_waiting(partial(self._equal_failures.has_all, stopped=alike))
        before = self._stopped.get((alike.signature, alike.shape))
        stopped = replace(alike, left_out=(*(before.left_out if before else ()), *dropped))
        self._stopped[stopped.signature, stopped.shape] = stopped
        if dropped:
            self._tell(stopped.sentence(self._equal_failures.described(stopped)))

    def interrupted(self, error: InterruptedRunError) -> None:
        """Release what this run held, after a signal: no process works on it any more, so others may take it.

        A trial that has left its result since, and was not heard of again, is done; all others were killed.
        """
        self._dispatcher.close()
        for trial in self._attempts.running:
            if (outcome := self._attempts.new_result(trial)) is not None:
                self._done(trial, outcome)
            else:
                failure = self._attempts.record(trial, "killed", f"the run was stopped by {error}")
                self._attempts.failed(trial, failure, GivenUp())

    def has_lost_lease(self, trial: str) -> bool:
        """Return whether another run has taken over what this trial produces, so that it must stop."""
        return trial in self._lost

    def renew_leases(self) -> None:
        """Renew all leases. Called by a thread."""
        self._lost.update(self._dispatcher.renew())

    def kill_unresponsive(self) -> None:
        """Kill processes whose heartbeat is overdue. Called by a thread; Tune then finds them gone."""
        overdue = self._watchdog.expired(time.monotonic())
        dumps = dump_in_cluster([missed.process for missed in overdue])
        for missed, dump in zip(overdue, dumps, strict=True):
            message = f"its process (pid {missed.process.pid}) gave no sign for {missed.seconds:.0f} s; {dump.said}"
            self._attempts.record(missed.name, "hung", message, dump.text)
            kill_in_cluster(missed.process)
