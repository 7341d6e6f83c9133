"""Rehearse the shapes of a run's trials before the first of them starts, in the same Tune run and worker groups.

A rehearsal is a trial to Tune, to the launcher, and to all that watches, retries and makes micro-batches smaller; only
its storage is scratch and its task is cut short. A shape that fails takes its own trials out of the run.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, assert_never

from cluster.launcher import ResourceRequest
from orchestrator.running.attempts import Attempts
from orchestrator.running.dispatcher import Dispatcher
from orchestrator.running.rehearsal_sentences import began, ended, went_on
from orchestrator.running.rehearsals import PlannedRehearsal, RehearsalOutcome, Rehearsals
from orchestrator.running.retry_policy import AfterStorage, Again, GivenUp
from orchestrator.running.run import Run
from orchestrator.running.schedule import FINISHED, Finished, Work
from orchestrator.running.trial_events import AttemptFailed, Blocked, Dispatched, TrialEvent
from search_spaces.outcomes import FailureKind, NodeDone, Started, TrialDone, UnitDone
from search_spaces.plan import Node
from trainables.storage import layout
from trainables.storage.lease import Owner
from trainables.storage.record_files import read_or_redo, write
from trainables.storage.records import Failure, Rehearsal, SmallerBatch
from trainables.storage.store import LocalStore, Store
from trainables.task import TrialTask
from trainables.workers.tune_result import TuneResult

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class RehearsalFiles:
    """Where rehearsals read and write."""

    study: str
    store: Store
    """The real storage: for what is kept of them."""
    scratch: LocalStore
    """For everything else."""

    def task(self, planned: PlannedRehearsal, task: TrialTask) -> TrialTask:
        """Turn the task of a trial into that of its rehearsal."""
        own = {"id": planned.shape, "storage": str(self.scratch.root), "rehearses_with": task.storage}
        return task.model_copy(update=own)

    def learn(self) -> None:
        """Take over how much fits at once, as the study has learned it."""
        self._copy_smaller_batches(self.store, self.scratch)

    def teach(self) -> None:
        """Hand on how much fits at once, as rehearsals have learned it."""
        self._copy_smaller_batches(self.scratch, self.store)

    def _copy_smaller_batches(self, source: Store, target: Store) -> None:
        for name in source.list(layout.smaller_batches(self.study)):
            learned = read_or_redo(source, name, SmallerBatch)
            if learned is not None and read_or_redo(target, name, SmallerBatch) != learned:
                write(target, name, learned)

    def keep_record(self, planned: PlannedRehearsal) -> Rehearsal | None:
        """Keep the record of a rehearsal that went well, and what it has learned, and nothing else of it."""
        record = None
        try:
            record = read_or_redo(self.scratch, layout.rehearsal(planned.shape), Rehearsal)
            self.teach()
            if record is not None:
                write(self.store, layout.rehearsal(planned.proof), record)
            self.store.remove(layout.failed_rehearsal(self.study, planned.shape))
        except OSError as error:  # then it is rehearsed again by the next run
            logger.warning("the rehearsal of %s was not recorded: %s", planned.arm, error)
        return record

    def keep_logs(self, planned: PlannedRehearsal, failure: Failure) -> Failure:
        """Keep the logs of a rehearsal that failed, and return the failure with the one that tells most."""
        for rank in range(planned.request.workers):
            log = layout.worker_log(self.study, planned.shape, rank)
            with suppress(OSError):  # not there, or the storage is away
                self.store.put(layout.rehearsal_log(self.study, planned.shape, rank), self.scratch.get(log))
        return replace(failure, log=layout.rehearsal_log(self.study, planned.shape, failure.rank or 0))


@contextmanager
def rehearsal_files(study: str, store: Store, rehearsals: Rehearsals) -> Iterator[RehearsalFiles]:
    """Provide a scratch storage below the real one, and so on its disk; it is removed at the end.

    Those of processes that were killed are removed, too. Nothing is made where nothing is rehearsed.

    Args:
        study: its name.
        store: the real storage.
        rehearsals: of the run.
    """
    folder = layout.rehearsal_scratch(secrets.token_hex(6))
    files = RehearsalFiles(study, store, LocalStore(Path(store.place(folder))))
    if not rehearsals.planned:
        yield files
        return
    _remove_abandoned(store)
    store.put(layout.owner_in(folder), Owner.here().to_bytes())
    try:
        files.learn()
        yield files
    finally:
        with suppress(OSError):  # the storage is away: the next run removes it
            store.remove(folder)


def _remove_abandoned(store: Store) -> None:
    for name in store.folders(layout.SCRATCH):
        owner_file = layout.owner_in(layout.scratch(name))
        if name.startswith(layout.REHEARSAL) and store.exists(owner_file):
            owner = Owner.parse(store.get(owner_file))
            if owner is None or owner.is_gone():
                store.remove(layout.scratch(name))


@dataclass(frozen=True)
class RunParts:
    """A run with what it consists of."""

    attempts: Attempts
    dispatcher: Dispatcher
    run: Run


class RehearsedRun:
    """A run whose shapes are rehearsed first: `next` hands out rehearsals until all have ended, then trials.

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
        self._has_begun, self._is_settled = False, False

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

    def work(self, tasks: Callable[[str], TrialTask]) -> tuple[list[Work], dict[str, Node], Callable[[str], TrialTask]]:
        """Make the work of a run of the rehearsals, its nodes, and what makes their tasks.

        Args:
            tasks: makes the task of a trial.
        """
        planned = self._planned
        work, nodes = rehearsal_work(list(planned.values())), rehearsal_nodes(list(planned.values()))
        return work, nodes, lambda shape: self._files.task(planned[shape], tasks(planned[shape].trials[0]))

    def rehearse_by(self, run: Run) -> None:
        """Set the run of the rehearsals, whose attempts announce their events by `show`."""
        self._rehearsals = run

    def next(self) -> str | Literal[Finished.FINISHED] | None:
        """Hand out a rehearsal, or a trial once all rehearsals have ended; see `Run.next`."""
        if self._rehearsals is not None and not self._is_settled:
            if self._planned and not self._has_begun:
                self._has_begun = True
                self._tell(began(tuple(self._planned.values())))
            rehearsal = self._rehearsals.next()
            if rehearsal is not FINISHED:
                return rehearsal
            self._settle()
        return FINISHED if self._only else self._trials.run.next()

    def _settle(self) -> None:
        """Take the trials of the shapes that failed out of the run."""
        failed = {
            trial: outcome.failure
            for outcome in self.outcomes
            for trial in outcome.planned.trials
            if outcome.failure is not None
        }
        for trial in self._trials.dispatcher.drop_waiting(failed.__contains__):
            self._trials.attempts.blocked(trial, failed[trial])
        self._is_settled = True

    def show(self, event: TrialEvent) -> None:
        """Note what became of a rehearsal, and tell people."""
        planned = self._planned[event.trial]
        match event.event:
            case Dispatched() | Started() | UnitDone() | NodeDone():
                return
            case TrialDone():
                outcome = RehearsalOutcome(planned, self._files.keep_record(planned), None, self._remedies_of(planned))
            case AttemptFailed(failure, follows):
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
        self._outcomes[planned.shape] = outcome
        self._tell(ended(outcome, self._files.store.place))

    def _remedies_of(self, planned: PlannedRehearsal) -> tuple[str, ...]:
        return self._remedies.get(planned.shape, ())

    def _of(self, trial: str) -> Run:
        return self._rehearsals if self._rehearsals is not None and trial in self._planned else self._trials.run

    def avoided(self, trial: str) -> tuple[str, ...]:
        return self._of(trial).avoided(trial)

    def raise_if_interrupted(self) -> None:
        self._trials.run.raise_if_interrupted()

    def report(self, result: TuneResult) -> None:
        self._of(result.trial).report(result)

    def completed(self, result: TuneResult) -> None:
        self._of(result.trial).completed(result)

    def failed(self, trial: str, kind: FailureKind, message: str, traceback: str = "") -> None:
        self._of(trial).failed(trial, kind, message, traceback)

    def has_lost_lease(self, trial: str) -> bool:
        return self._of(trial).has_lost_lease(trial)

    def stop_for_storage(self, error: Exception) -> bool:
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
