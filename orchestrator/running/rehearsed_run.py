"""Rehearse every shape of a run's trials before trials of it start, in the same Tune run and worker groups.

A rehearsal is a trial to Tune, to the launcher, and to all that watches, retries and makes micro-batches smaller; only
its storage is scratch and its task is cut short. A shape that fails takes its own trials out of the run.

Every rehearsal begins before any trial. While the last ones run, what is free goes to trials whose shape has run:
nothing is idle beside a rehearsal that takes long, and each group of workers goes on with the next trial, where Tune
keeps one idle group and ends all further ones.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, assert_never

from cluster.launcher import ResourceRequest
from orchestrator.running.attempts import Attempts
from orchestrator.running.dispatcher import Dispatcher
from orchestrator.running.rehearsal_files import RehearsalFiles
from orchestrator.running.rehearsal_sentences import began, ended, went_on
from orchestrator.running.rehearsals import PlannedRehearsal, RehearsalOutcome, Rehearsals
from orchestrator.running.retry_policy import AfterStorage, Again, GivenUp
from orchestrator.running.run import Run
from orchestrator.running.schedule import FINISHED, Finished
from orchestrator.running.spending import Spending
from orchestrator.running.trial_events import AttemptFailed, Blocked, Dispatched, TrialEvent
from orchestrator.running.work import Work
from search_spaces.outcomes import AwaitsRoom, FailureKind, NodeDone, Started, TrialDone, UnitDone
from search_spaces.plan import Node
from trainables.storage.store import Store
from trainables.task import TrialTask
from trainables.workers.tune_result import TuneResult


@dataclass(frozen=True)
class RunScope:
    """What one run is of: the trials of a study, or the rehearsals of their shapes."""

    work: Sequence[Work]
    nodes: Mapping[str, Node]
    """Of the paths of the work."""
    tasks: Callable[[str], TrialTask]
    """Makes the task of a trial, or of a rehearsal."""
    store: Store
    """Where tasks, results and leases are."""
    show: Callable[[TrialEvent], None]
    needed: Callable[[str], Collection[str]] = lambda trial: ()
    """Lists the nodes that the workers of a trial must produce."""
    most_alike: int = 0
    """Equal failures after which what they share is not started any more; 0 for never."""
    spending: Spending = field(default_factory=lambda: Spending(math.inf))
    """GPU-seconds that it may take."""


@dataclass(frozen=True)
class RunParts:
    """A run with what it consists of."""

    attempts: Attempts
    dispatcher: Dispatcher
    run: Run


class RehearsedRun:
    """A run whose shapes are rehearsed first: `next` hands out all rehearsals, then trials whose shape has run.

    What Tune reports of a rehearsal or of a trial goes to the run that it belongs to. For the main thread only.

    Args:
        rehearsals: of this run.
        files: where they read and write.
        trials: the run of the trials.
        tell: shows a sentence to people.
    """

    def __init__(self, rehearsals: Rehearsals, files: RehearsalFiles, trials: RunParts, tell: Callable[[str], None]):
        self._planned = {planned.shape: planned for planned in rehearsals.planned}
        self._only, self._files, self._tell = rehearsals.only, files, tell
        self._trials = trials
        self._rehearsals: Run | None = None
        self._outcomes: dict[str, RehearsalOutcome] = {}
        self._remedies: dict[str, tuple[str, ...]] = {}
        self._has_begun, self._has_ended = False, False
        trials.dispatcher.hold(trial for planned in rehearsals.planned for trial in planned.trials)

    @property
    def requests(self) -> dict[str, ResourceRequest]:
        """What each rehearsal needs, by its id."""
        return {shape: planned.request for shape, planned in self._planned.items()}

    @property
    def storages(self) -> dict[str, str]:
        """Where the task of each rehearsal is found."""
        return dict.fromkeys(self._planned, str(self._files.scratch.root))

    @property
    def outcomes(self) -> tuple[RehearsalOutcome, ...]:
        """What became of the rehearsals that have ended, cheapest first."""
        return tuple(self._outcomes[shape] for shape in self._planned if shape in self._outcomes)

    def scope(self, tasks: Callable[[str], TrialTask]) -> RunScope:
        """Say what the run of the rehearsals is of, which announces its events by `show`.

        Args:
            tasks: makes the task of a trial.
        """
        planned = self._planned
        work, nodes = rehearsal_work(list(planned.values())), rehearsal_nodes(list(planned.values()))

        def task_of(shape: str) -> TrialTask:
            return self._files.task(planned[shape], tasks(planned[shape].trials[0]))

        return RunScope(work, nodes, task_of, self._files.scratch, self.show)

    def rehearse_by(self, run: Run) -> None:
        """Set the run of the rehearsals, of their `scope`."""
        self._rehearsals = run

    def next(self) -> str | Literal[Finished.FINISHED] | None:
        """Hand out a rehearsal, or a trial whose shape has run once no rehearsal waits any more; see `Run.next`."""
        if self._rehearsals is not None and not self._has_ended:
            if self._planned and not self._has_begun:
                self._has_begun = True
                self._tell(began(tuple(self._planned.values())))
            rehearsal = self._rehearsals.next()
            if isinstance(rehearsal, str):
                self._trials.dispatcher.occupy(rehearsal, self._planned[rehearsal].request)
                return rehearsal
            if rehearsal is None:
                if self._only or self._rehearsals.not_running:
                    return None
                trial = self._trials.run.next()
                return None if trial is FINISHED else trial  # a rehearsal may have to be tried again
            if len(self._outcomes) == len(self._planned):  # else storage gave out, and some of them still run
                self._files.remove()
            self._has_ended = True
        return FINISHED if self._only else self._trials.run.next()

    def show(self, event: TrialEvent) -> None:
        """Note what became of a rehearsal, and tell people."""
        planned = self._planned[event.trial]
        match event.event:
            case Dispatched() | Started() | AwaitsRoom() | UnitDone() | NodeDone():
                return
            case TrialDone():
                self._trials.dispatcher.vacate(event.trial)
                for trial in planned.trials:  # before the record: then no run rehearses, and unblocks, this shape again
                    self._trials.attempts.unblock(trial)
                outcome = RehearsalOutcome(planned, self._files.keep_record(planned), None, self._remedies_of(planned))
            case AttemptFailed(failure, follows):
                self._trials.dispatcher.vacate(event.trial)
                match follows:
                    case Again() | AfterStorage():
                        self._remedies[planned.shape] = (*self._remedies_of(planned), *filter(None, [failure.remedy]))
                        self._tell(went_on(planned, failure))
                        return
                    case GivenUp():
                        kept = self._files.keep_logs(planned, failure)
                        outcome = RehearsalOutcome(planned, None, kept, self._remedies_of(planned))
                    case _:
                        assert_never(follows)
            case Blocked():
                raise ValueError(f"{event.trial}: no rehearsal waits for another")
            case _:
                assert_never(event.event)
        self._files.remove_stages(planned)
        self._outcomes[planned.shape] = outcome
        self._tell(ended(outcome, self._files.store.place))
        self._settle(outcome)

    def _settle(self, outcome: RehearsalOutcome) -> None:
        """Let the trials of a shape start, or take them out of the run if it has failed."""
        trials = outcome.planned.trials
        if outcome.failure is None:
            self._trials.dispatcher.release(trials)
            return
        for trial in self._trials.dispatcher.drop_waiting(trials.__contains__):
            self._trials.attempts.blocked(trial, outcome.failure, keeps_own=self._only)

    def _remedies_of(self, planned: PlannedRehearsal) -> tuple[str, ...]:
        return self._remedies.get(planned.shape, ())

    def _of(self, trial: str) -> Run:
        return self._rehearsals if self._rehearsals is not None and trial in self._planned else self._trials.run

    @property
    def most_at_once(self) -> int:
        """Most rehearsals or trials that will run at a time from now on."""
        if self._rehearsals is None or self._has_ended:
            return self._trials.run.most_at_once
        return self._rehearsals.most_at_once if self._only else self._trials.run.most_at_once

    def avoided(self, trial: str) -> tuple[str, ...]:
        """Return the nodes on which a rehearsal or a trial must not be placed."""
        return self._of(trial).avoided(trial)

    def is_on_one_node(self, trial: str) -> bool:
        """Return whether all workers of a rehearsal or a trial are placed on one node."""
        return self._of(trial).is_on_one_node(trial)

    def raise_if_interrupted(self) -> None:
        """Raise InterruptedRunError if a signal has come."""
        self._trials.run.raise_if_interrupted()

    def report(self, result: TuneResult) -> None:
        """Handle a report of the process of a rehearsal or a trial; see `Run.report`."""
        self._of(result.trial).report(result)

    def completed(self, result: TuneResult) -> None:
        """End a rehearsal or a trial that Tune counts as finished; see `Run.completed`."""
        self._of(result.trial).completed(result)

    def failed(self, trial: str, kind: FailureKind, message: str, traceback: str = "") -> None:
        """End an attempt of a rehearsal or a trial that has failed; see `Run.failed`."""
        self._of(trial).failed(trial, kind, message, traceback)

    def has_lost_lease(self, trial: str) -> bool:
        """Return whether another run has taken over what a rehearsal or a trial produces."""
        return self._of(trial).has_lost_lease(trial)

    def stop_for_storage(self, error: Exception) -> bool:
        """Stop the run if an error came from its storage; returns whether."""
        return self._trials.run.stop_for_storage(error)


def rehearsal_work(planned: Sequence[PlannedRehearsal]) -> list[Work]:
    """Make work for the schedule, which starts with what takes longest: the cheapest gets the largest number."""
    return [
        Work(each.shape, (_node(each),), each.request, (float(len(planned) - rank),))
        for rank, each in enumerate(planned)
    ]


def rehearsal_nodes(planned: Sequence[PlannedRehearsal]) -> dict[str, Node]:
    """Make the nodes of this work: nothing else waits for them, as for evaluations."""
    return {
        _node(each): Node(_node(each), "evaluation", None, f"rehearse {each.arm}", None, None, (each.shape,))
        for each in planned
    }


def _node(planned: PlannedRehearsal) -> str:
    return f"rehearsal of {planned.shape}"
