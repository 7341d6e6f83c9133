"""Claims about orchestrator/running/rehearsed_run.py on a real storage, with reports as Tune would pass them on."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from cluster.fit import NodeResources
from cluster.launcher import ResourceRequest
from orchestrator.running.attempts import Attempts
from orchestrator.running.dispatcher import Dispatcher
from orchestrator.running.equal_failures import EqualFailures
from orchestrator.running.rehearsal_files import RehearsalFiles, rehearsal_files
from orchestrator.running.rehearsals import PlannedRehearsal, Rehearsals
from orchestrator.running.rehearsed_run import RehearsedRun, RunParts, RunScope
from orchestrator.running.retry_policy import RetryPolicy
from orchestrator.running.run import Run
from orchestrator.running.schedule import FINISHED
from orchestrator.running.signals import ReceivedSignals
from orchestrator.running.storage_pause import StoragePause
from orchestrator.running.trial_events import Blocked, TrialEvent
from search_spaces.outcomes import NodeDone, Started, TrialDone
from search_spaces.resource_spec import ResourceSpec
from search_spaces.resources import micro_batch
from tests.support.fake_trials import STUDY, Fakes
from tests.support.other_hosts import ELSEWHERE, lease_files
from tests.support.small_records import rehearsal_record, stage_result, trial_result
from trainables.storage import layout
from trainables.storage.record_files import read, write
from trainables.storage.records import Failure, Rehearsal
from trainables.storage.store import LocalStore, Store
from trainables.task import TrialTask
from trainables.workers.tune_result import TuneResult

PATHS = {"a-s1": ["s1"], "a-s2": ["s2"], "b-s1": ["s3"]}
SHAPES = {"shape-a": ("a-s1", "a-s2"), "shape-b": ("b-s1",)}


class Rehearsed:
    """A run of fake trials of two shapes on two CPUs that begins with their rehearsals."""

    def __init__(
        self,
        root: Path,
        stack: ExitStack,
        micro: int | None = None,
        only: bool = False,
        paths: Mapping[str, Sequence[str]] = PATHS,
    ):
        self.store, self.told, self.events = LocalStore(root), list[str](), list[TrialEvent]()
        self.fakes = Fakes(root, paths)
        self.fakes.resources = dict.fromkeys(paths, ResourceSpec(micro_batch=micro))
        planned = tuple(
            PlannedRehearsal(shape, f"proof-of-{shape}", shape[-1], ResourceRequest(), trials)
            for shape, trials in SHAPES.items()
        )
        self.pause = StoragePause(lambda: None, self.told.append)
        fakes, show = self.fakes, self.events.append
        self.trials = trials = self._parts(RunScope(fakes.work, fakes.nodes, fakes.task, self.store, show))
        rehearsals = Rehearsals(planned, only=only)
        self.files: RehearsalFiles = stack.enter_context(rehearsal_files(STUDY, self.store, rehearsals))
        self.run = RehearsedRun(rehearsals, self.files, trials, self.told.append)
        self.run.rehearse_by(self._parts(self.run.scope(self.fakes.task)).run)

    def _parts(self, scope: RunScope) -> RunParts:
        attempts = Attempts(STUDY, [item.trial_id for item in scope.work], scope.tasks, scope.store, scope.show)
        cluster = [NodeResources("n1", 1), NodeResources("n2", 1)]
        dispatcher = Dispatcher(
            scope.work, scope.nodes, (), cluster, scope.store, STUDY, scope.needed, attempts.prepare
        )
        policy, alike = RetryPolicy(), EqualFailures(scope.work)
        run = Run(attempts, dispatcher, ReceivedSignals(), policy, alike, self.pause, self.told.append)
        return RunParts(attempts, dispatcher, run)

    def report(self, trial: str, event: Started | NodeDone | TrialDone) -> TuneResult:
        result = TuneResult(trial, event, "n1", "host-n1", os.getpid(), 0.0, None, 600.0)
        self.run.report(result)
        return result

    def save(self, shape: str) -> list[str]:
        """Let a rehearsal write a file into the folder of each of its stages; returns their names."""
        task = read(self.files.scratch, layout.trial_task(STUDY, shape), TrialTask)
        assert task is not None
        names = [f"{layout.stage_folder(stage.key)}/weights" for stage in task.stages]
        for name in names:
            self.files.scratch.put(name, shape.encode())
        return names

    def rehearse(self, shape: str) -> None:
        """Let a rehearsal go well."""
        write(self.files.scratch, layout.rehearsal(shape), rehearsal_record(shape))
        self._finish(shape, self.files.scratch)

    def train(self, trial: str, node: str) -> None:
        """Let a trial of one stage do all of its work."""
        write(self.store, layout.stage_result(f"key-{node}"), stage_result(f"key-{node}"))
        self.report(trial, NodeDone(node))
        self._finish(trial, self.store)

    def _finish(self, trial: str, store: Store) -> None:
        write(store, layout.trial_result(STUDY, trial), trial_result(trial))
        self.run.completed(self.report(trial, TrialDone()))

    def fail(self, shape: str, failure: Failure) -> None:
        """Let a rehearsal fail as its process records it."""
        self.report(shape, Started(fresh_group=True))
        write(self.files.scratch, layout.trial_failure(STUDY, shape), replace(failure, trial=shape))
        self.run.failed(shape, failure.kind, failure.message)


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def broken(kind: str = "error", during: str | None = None) -> Failure:
    return Failure(
        trial="",
        kind=kind,  # type: ignore[arg-type]
        message="ValueError: 336 px are no multiple of 14",
        traceback="Traceback",
        log=layout.worker_log(STUDY, "shape-a", 1),
        ts=1,
        rank=1,
        host="node-7",
        during=during,
    )


def test_every_shape_is_rehearsed_before_its_trials_the_cheapest_first(tmp_path: Path, stack: ExitStack) -> None:
    rehearsed = Rehearsed(tmp_path, stack)
    assert [rehearsed.run.next(), rehearsed.run.next()] == ["shape-a", "shape-b"]
    assert rehearsed.run.next() is None
    rehearsed.rehearse("shape-b")
    assert rehearsed.run.next() == "b-s1"
    rehearsed.train("b-s1", "s3")
    assert rehearsed.run.next() is None, "the trials of shape-a wait for its rehearsal, though there is room"
    rehearsed.rehearse("shape-a")
    assert [rehearsed.run.next(), rehearsed.run.next()] == ["a-s1", "a-s2"]
    assert read(rehearsed.store, layout.rehearsal("proof-of-shape-a"), Rehearsal) == rehearsal_record("shape-a")


def test_trials_take_the_room_that_the_last_rehearsals_leave_and_no_more(tmp_path: Path, stack: ExitStack) -> None:
    rehearsed = Rehearsed(tmp_path, stack)
    assert [rehearsed.run.next(), rehearsed.run.next()] == ["shape-a", "shape-b"]
    rehearsed.rehearse("shape-a")
    assert [rehearsed.run.next(), rehearsed.run.next()] == ["a-s1", None]
    rehearsed.rehearse("shape-b")
    assert rehearsed.run.next() is not None
    assert rehearsed.run.next() is None


def test_no_trial_starts_while_a_rehearsal_is_to_begin_again(tmp_path: Path, stack: ExitStack) -> None:
    rehearsed = Rehearsed(tmp_path, stack)
    assert [rehearsed.run.next(), rehearsed.run.next()] == ["shape-a", "shape-b"]
    rehearsed.rehearse("shape-b")
    rehearsed.fail("shape-a", broken("lost"))
    assert [rehearsed.run.next(), rehearsed.run.next()] == ["shape-a", "b-s1"]
    rehearsed.train("b-s1", "s3")
    assert rehearsed.run.next() is None, "one that runs may have to be tried again: the run has not ended"


def test_the_task_of_a_rehearsal_is_that_of_a_trial_on_scratch(tmp_path: Path, stack: ExitStack) -> None:
    rehearsed = Rehearsed(tmp_path, stack)
    rehearsed.run.next()
    task = read(rehearsed.files.scratch, layout.trial_task(STUDY, "shape-a"), TrialTask)
    assert task is not None
    assert task.trial == rehearsed.fakes.task("a-s1").trial
    assert (task.storage, task.rehearses_with) == (str(rehearsed.files.scratch.root), str(tmp_path))
    assert rehearsed.run.storages == dict.fromkeys(SHAPES, task.storage)


def test_a_shape_that_fails_blocks_its_own_trials_and_says_where_it_failed(tmp_path: Path, stack: ExitStack) -> None:
    rehearsed = Rehearsed(tmp_path, stack)
    assert [rehearsed.run.next(), rehearsed.run.next()] == ["shape-a", "shape-b"]
    rehearsed.files.scratch.put(layout.worker_log(STUDY, "shape-a", 0), b"of rank 0")
    rehearsed.fail("shape-a", broken())
    rehearsed.rehearse("shape-b")
    assert rehearsed.run.next() == "b-s1"
    rehearsed.train("b-s1", "s3")
    assert rehearsed.run.next() is FINISHED
    outcomes = rehearsed.trials.attempts.outcomes()
    assert (outcomes.done, set(outcomes.failed)) == (("b-s1",), {"a-s1", "a-s2"})
    for trial in ("a-s1", "a-s2"):
        failure = read(rehearsed.store, layout.trial_failure(STUDY, trial), Failure)
        assert failure is not None
        assert (failure.trial, failure.kind, failure.rank, failure.host) == (trial, "error", 1, "node-7")
        assert "the rehearsal of its shape failed: ValueError: 336 px" in failure.message
    assert [event.trial for event in rehearsed.events if isinstance(event.event, Blocked)] == ["a-s1", "a-s2"]
    assert any("rehearsal of a FAILED (error, rank 1 on node-7)" in line for line in rehearsed.told)
    assert rehearsed.store.get(layout.rehearsal_log(STUDY, "shape-a", 0)) == b"of rank 0"
    assert read(rehearsed.store, layout.rehearsal("proof-of-shape-a"), Rehearsal) is None


def test_a_rehearsal_without_memory_is_tried_smaller_and_its_trials_begin_with_what_fits(
    tmp_path: Path, stack: ExitStack
) -> None:
    rehearsed = Rehearsed(tmp_path, stack, micro=8)
    assert [rehearsed.run.next(), rehearsed.run.next()] == ["shape-a", "shape-b"]
    rehearsed.fail("shape-a", broken("memory", "s1"))
    assert rehearsed.run.next() == "shape-a"
    rehearsed.rehearse("shape-a")
    rehearsed.rehearse("shape-b")
    assert rehearsed.run.next() == "a-s1"
    task = read(rehearsed.store, layout.trial_task(STUDY, "a-s1"), TrialTask)
    assert task is not None
    assert micro_batch(task.trial.stages[0], task.stages[0].resources) == 4
    (remedy,) = next(outcome for outcome in rehearsed.run.outcomes if outcome.planned.shape == "shape-a").remedies
    assert "micro-batch 4 instead of 8" in remedy


def test_shapes_that_share_a_stage_have_files_of_their_own_which_go_when_each_has_ended(
    tmp_path: Path, stack: ExitStack
) -> None:
    rehearsed = Rehearsed(tmp_path, stack, paths={"a-s1": ["s1"], "a-s2": ["s2"], "b-s1": ["s1"]})
    assert [rehearsed.run.next(), rehearsed.run.next()] == ["shape-a", "shape-b"]
    scratch = rehearsed.files.scratch
    first, second = rehearsed.save("shape-a"), rehearsed.save("shape-b")
    assert [scratch.get(name) for name in first] == [b"shape-a"]
    rehearsed.fail("shape-a", broken())
    assert scratch.list("stages") == second
    rehearsed.rehearse("shape-b")
    assert scratch.list("stages") == []


def test_scratch_is_gone_once_all_rehearsals_have_ended(tmp_path: Path, stack: ExitStack) -> None:
    rehearsed = Rehearsed(tmp_path, stack)
    assert [rehearsed.run.next(), rehearsed.run.next()] == ["shape-a", "shape-b"]
    for shape in SHAPES:
        rehearsed.rehearse(shape)
    assert rehearsed.store.list(layout.SCRATCH) != []
    assert rehearsed.run.next() == "a-s1"
    assert rehearsed.store.list(layout.SCRATCH) == []


def test_a_trial_of_a_shape_that_fails_is_left_to_the_run_that_works_on_it(tmp_path: Path, stack: ExitStack) -> None:
    rehearsed = Rehearsed(tmp_path, stack)
    assert rehearsed.store.lease(layout.trial_lease(STUDY, "a-s1"), ELSEWHERE) is not None
    assert [rehearsed.run.next(), rehearsed.run.next()] == ["shape-a", "shape-b"]
    rehearsed.fail("shape-a", broken())
    rehearsed.rehearse("shape-b")
    assert rehearsed.run.next() == "b-s1"
    written = [rehearsed.store.exists(layout.trial_failure(STUDY, trial)) for trial in ("a-s1", "a-s2")]
    assert written == [False, True]
    assert set(rehearsed.trials.attempts.outcomes().failed) == {"a-s1", "a-s2"}
    held = {path.parent.name for path in lease_files(tmp_path)}
    assert "a-s1" in held, "still by the other run"
    assert "a-s2" not in held


def test_a_shape_that_runs_puts_aside_what_its_rehearsal_has_left_to_trials_and_no_failure_of_their_own(
    tmp_path: Path,
) -> None:
    for is_mended in (False, True):
        with ExitStack() as stack:
            rehearsed = Rehearsed(tmp_path, stack, only=True)
            assert [rehearsed.run.next(), rehearsed.run.next()] == ["shape-a", "shape-b"]
            rehearsed.rehearse("shape-b")
            if is_mended:
                write(rehearsed.store, layout.trial_failure(STUDY, "a-s2"), replace(broken(), trial="a-s2"))
                rehearsed.rehearse("shape-a")
            else:
                rehearsed.fail("shape-a", broken())
            assert rehearsed.run.next() is FINISHED
    assert not rehearsed.store.exists(layout.trial_failure(STUDY, "a-s1"))
    aside = read(rehearsed.store, layout.trial_attempt(STUDY, "a-s1", 1), Failure)
    assert aside is not None
    assert aside.shape == "shape-a"
    assert rehearsed.store.exists(layout.trial_failure(STUDY, "a-s2"))


def test_rehearsals_alone_leave_a_failure_of_the_trial_itself_where_a_run_that_would_have_tried_it_again_does_not(
    tmp_path: Path,
) -> None:
    own = replace(broken(), trial="a-s1", message="failed twice alike")
    write(LocalStore(tmp_path), layout.trial_failure(STUDY, "a-s1"), own)
    for only, left in ((True, own.message), (False, "not started, as the rehearsal of its shape failed")):
        with ExitStack() as stack:
            rehearsed = Rehearsed(tmp_path, stack, only=only)
            assert [rehearsed.run.next(), rehearsed.run.next()] == ["shape-a", "shape-b"]
            rehearsed.fail("shape-a", broken())
            rehearsed.rehearse("shape-b")
            rehearsed.run.next()
            failure = read(rehearsed.store, layout.trial_failure(STUDY, "a-s1"), Failure)
            assert failure is not None
            assert left in failure.message
            assert rehearsed.store.exists(layout.trial_failure(STUDY, "a-s2"))


def test_no_trial_starts_after_rehearsals_alone(tmp_path: Path, stack: ExitStack) -> None:
    rehearsed = Rehearsed(tmp_path, stack, only=True)
    assert [rehearsed.run.next(), rehearsed.run.next()] == ["shape-a", "shape-b"]
    for shape in SHAPES:
        rehearsed.rehearse(shape)
    assert rehearsed.run.next() is FINISHED
    assert [outcome.planned.shape for outcome in rehearsed.run.outcomes] == ["shape-a", "shape-b"]
    assert rehearsed.trials.attempts.outcomes().not_started == tuple(PATHS)


def test_nothing_of_rehearsals_is_left_but_their_records(tmp_path: Path) -> None:
    with ExitStack() as stack:
        rehearsed = Rehearsed(tmp_path, stack)
        assert [rehearsed.run.next(), rehearsed.run.next()] == ["shape-a", "shape-b"]
        for shape in SHAPES:
            rehearsed.rehearse(shape)
    assert rehearsed.store.list("") == sorted(layout.rehearsal(f"proof-of-{shape}") for shape in SHAPES)
