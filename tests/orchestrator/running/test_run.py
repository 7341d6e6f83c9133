"""Claims about orchestrator/running/run.py on a real storage, with reports as Tune would pass them on."""

from __future__ import annotations

import math
import os
import shutil
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest

from cluster.fit import NodeResources
from orchestrator.running.attempts import Attempts
from orchestrator.running.dispatcher import Dispatcher
from orchestrator.running.equal_failures import EqualFailures
from orchestrator.running.retry_policy import (
    AFTER_S,
    TOLD_OF_PREEMPTIONS,
    AfterStorage,
    Again,
    Budgets,
    GivenUp,
    RetryPolicy,
)
from orchestrator.running.run import REFUSALS, Run
from orchestrator.running.schedule import FINISHED
from orchestrator.running.signals import InterruptedRunError, ReceivedSignals
from orchestrator.running.spending import Spending
from orchestrator.running.storage_pause import StoragePause
from orchestrator.running.trial_events import AttemptFailed, TrialEvent
from search_spaces.outcomes import NodeDone, Started, TrialDone, UnitDone
from tests.support.fake_trials import STUDY, Fakes
from tests.support.other_hosts import lease_files
from tests.support.small_records import stage_result, trial_result
from trainables.storage import layout
from trainables.storage.probe import storage_trouble
from trainables.storage.record_files import read, write
from trainables.storage.records import Cost, Failure
from trainables.storage.store import LocalStore
from trainables.task import TrialTask
from trainables.workers.tune_result import TuneResult


class Watched:
    """A run of fake trials on two nodes, what it announced, and what people were told."""

    def __init__(
        self,
        root: Path,
        paths: Mapping[str, Sequence[str]],
        patience_s: float = math.inf,
        gpu_seconds: float = math.inf,
        **budgets: int,
    ):
        root.mkdir(exist_ok=True)
        self.root, self.store = root, LocalStore(root)
        self.events: list[TrialEvent] = []
        self.told: list[str] = []
        fakes = Fakes(root, paths)
        self.attempts = Attempts(STUDY, paths, fakes.task, self.store, self.events.append)
        nodes = [NodeResources("n1", 1), NodeResources("n2", 1)]
        self.dispatcher = Dispatcher(
            fakes.work, fakes.nodes, (), nodes, self.store, STUDY, fakes.needed(self.store), self.attempts.prepare
        )
        self.pause = StoragePause(lambda: storage_trouble(self.store, 1), self.told.append, patience_s)
        self.run = Run(
            self.attempts,
            self.dispatcher,
            ReceivedSignals(),
            RetryPolicy(Budgets(**budgets)),
            EqualFailures(fakes.work),
            self.pause,
            self.told.append,
            Spending(gpu_seconds),
        )

    def report(self, trial: str, event: Started | UnitDone | NodeDone | TrialDone, node: str = "n1") -> TuneResult:
        result = TuneResult(trial, event, node, f"host-{node}", os.getpid(), 0.0, None, 600.0)
        self.run.report(result)
        return result

    def finish(self, trial: str, node: str, gpu_seconds: float = 0.0) -> None:
        """Let a trial of one stage do all of its work, at this cost."""
        write(self.store, layout.stage_result(f"key-{node}"), stage_result(f"key-{node}"))
        self.report(trial, NodeDone(node))
        cost = Cost(gpu_seconds, gpu_seconds, gpu_seconds)
        write(self.store, layout.trial_result(STUDY, trial), trial_result(trial, cost=cost))
        self.run.completed(self.report(trial, TrialDone()))

    @property
    def follows(self) -> list[object]:
        return [event.event.follows for event in self.events if isinstance(event.event, AttemptFailed)]


def test_failed_lost_trial_is_dispatched_again_and_finishes_in_the_same_run(tmp_path: Path) -> None:
    watched = Watched(tmp_path, {"a": ["s1"]})
    assert watched.run.next() == "a"
    watched.report("a", Started(fresh_group=True))
    watched.run.failed("a", "lost", "its process is gone")
    assert watched.run.next() == "a"
    watched.finish("a", "s1")
    assert watched.run.next() is FINISHED
    outcomes = watched.attempts.outcomes()
    assert (outcomes.done, outcomes.failed) == (("a",), {})
    assert watched.follows == [Again(0.0, 1, 3)]
    failure = read(watched.store, layout.trial_attempt(STUDY, "a", 1), Failure)
    assert failure is not None
    assert (failure.node_id, failure.host, failure.during) == ("n1", "host-n1", "s1")


def test_preemptions_without_progress_are_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    watched, now_s = Watched(tmp_path, {"a": ["s1"]}), [0.0]
    monkeypatch.setattr("orchestrator.running.run.time", SimpleNamespace(monotonic=lambda: now_s[0]))
    for number in range(1, 2 * TOLD_OF_PREEMPTIONS):
        assert watched.run.next() == "a"
        watched.report("a", Started(fresh_group=True))
        watched.run.failed("a", "preempted", "its node was drained or preempted")
        assert len(watched.told) == (number >= TOLD_OF_PREEMPTIONS)
        now_s[0] += AFTER_S[-1]
    assert watched.told[0].startswith("a was preempted 5 times in a row without reaching a checkpoint.")


def test_failed_twice_on_one_node_the_third_attempt_avoids_it(tmp_path: Path) -> None:
    watched = Watched(tmp_path, {"a": ["s1"], "b": ["s2"]})
    for trial in ("a", "b"):
        assert watched.run.next() == trial
        watched.report(trial, Started(fresh_group=True))
    watched.run.failed("a", "lost", "its process is gone")
    watched.run.failed("b", "lost", "its process is gone")
    assert {watched.run.next(), watched.run.next()} == {"a", "b"}
    assert watched.run.avoided("a") == ()
    assert watched.run.avoided("b") == ("n1",)


def test_failed_by_a_storage_that_is_away_counts_nothing_and_goes_on_when_it_is_back(tmp_path: Path) -> None:
    root, away = tmp_path / "storage", tmp_path / "away"
    watched = Watched(root, {"a": ["s1"], "b": ["s2"], "c": ["s3"]}, lost=0, storage=0)
    assert {watched.run.next(), watched.run.next()} == {"a", "b"}
    root.rename(away)
    watched.run.failed("a", "error", "FileNotFoundError: No such file or directory")
    watched.run.failed("b", "lost", "its process is gone")
    assert watched.follows == [AfterStorage(), AfterStorage()]
    assert watched.run.next() is None
    assert not root.exists()
    assert watched.told == [
        f"PAUSED: {root} is away (the storage root is gone). Nothing is started until it is mended, and what fails by "
        "it is not counted."
    ]
    away.rename(root)
    watched.pause.look_again()
    assert {watched.run.next(), watched.run.next()} == {"a", "b"}
    for trial, node in (("a", "s1"), ("b", "s2")):
        watched.finish(trial, node)
    assert watched.run.next() == "c"
    watched.finish("c", "s3")
    assert watched.run.next() is FINISHED
    assert set(watched.attempts.outcomes().done) == {"a", "b", "c"}
    watched.dispatcher.close()
    assert not lease_files(root)


def test_failed_what_a_trial_met_during_a_pause_counts_nothing_though_it_is_heard_of_afterwards(tmp_path: Path) -> None:
    root, away = tmp_path / "storage", tmp_path / "away"
    watched = Watched(root, {"a": ["s1"], "b": ["s2"]}, lost=0, storage=0)
    assert {watched.run.next(), watched.run.next()} == {"a", "b"}
    for trial in ("a", "b"):
        watched.report(trial, Started(fresh_group=True))
    root.rename(away)
    watched.run.failed("a", "error", "FileNotFoundError: No such file or directory")
    away.rename(root)
    watched.pause.look_again()
    watched.run.failed("b", "error", "FileNotFoundError: No such file or directory")
    assert watched.follows == [AfterStorage(), AfterStorage()]
    assert {watched.run.next(), watched.run.next()} == {"a", "b"}
    for trial in ("a", "b"):
        watched.report(trial, Started(fresh_group=True))
        watched.run.failed(trial, "error", "ValueError: of its own")
    assert watched.follows[2:] == [GivenUp(), GivenUp()]


def test_next_storage_that_is_gone_for_longer_than_the_patience_ends_the_run(tmp_path: Path) -> None:
    root = tmp_path / "storage"
    watched = Watched(root, {"a": ["s1"]}, patience_s=0)
    root.rename(tmp_path / "away")
    assert watched.run.next() is None
    assert watched.run.next() is FINISHED
    assert watched.run.storage_trouble == f"{root} is away (the storage root is gone)"
    assert watched.attempts.outcomes(storage_trouble=watched.run.storage_trouble).not_started == ("a",)


def test_next_storage_that_refuses_though_it_is_well_ends_in_its_own_error(tmp_path: Path) -> None:
    watched = Watched(tmp_path, {"a": ["s1"]})
    trials = tmp_path / layout.trial_folder(STUDY, "a")
    trials.parent.mkdir(parents=True)
    trials.write_text("a file where a folder must be")
    for _ in range(REFUSALS - 1):
        assert watched.run.next() is None
    with pytest.raises(OSError, match=r"Not a directory|File exists"):
        watched.run.next()


def test_failed_out_of_memory_is_tried_with_smaller_micro_batches_until_none_is_left(tmp_path: Path) -> None:
    watched = Watched(tmp_path, {"a": ["s1"]})
    sizes = []
    while watched.run.next() == "a":
        task = read(watched.store, layout.trial_task(STUDY, "a"), TrialTask)
        assert task is not None
        sizes.append(task.stages[0].resources.micro_batch)
        watched.run.failed("a", "memory", "CUDA out of memory")
    assert watched.run.next() is FINISHED
    assert len(sizes) == len(set(sizes)) > 2
    assert sizes[-1] == 1
    assert isinstance(watched.follows[-1], GivenUp)
    assert watched.attempts.outcomes().failed["a"].kind == "memory"


def test_failed_an_error_is_not_tried_again_and_equal_ones_stop_what_they_share(tmp_path: Path) -> None:
    watched = Watched(tmp_path, {f"bad-s{seed}": [f"n{seed}"] for seed in range(5)} | {"good-s0": ["g"]})
    for seed in range(3):
        assert watched.run.next() == f"bad-s{seed}"
        watched.run.failed(f"bad-s{seed}", "error", f"ValueError: {seed} images are broken")
    assert watched.run.next() == "good-s0"
    watched.finish("good-s0", "g")
    assert watched.run.next() is FINISHED
    (stopped,) = watched.run.stopped
    assert stopped.left_out == ("bad-s3", "bad-s4")
    assert watched.told == [
        "3 trials failed alike (error: ValueError: # images are broken): no more trials with the arm bad are started, "
        "2 trials left out. Mend the cause; the same command goes on."
    ]


def test_completed_without_a_result_is_an_error_unless_the_storage_is_away(tmp_path: Path) -> None:
    root = tmp_path / "storage"
    watched = Watched(root, {"a": ["s1"], "b": ["s2"]})
    assert {watched.run.next(), watched.run.next()} == {"a", "b"}
    watched.run.completed(watched.report("a", TrialDone()))
    root.rename(tmp_path / "away")
    watched.run.completed(watched.report("b", TrialDone()))
    assert [type(each) for each in watched.follows] == [GivenUp, AfterStorage]
    shutil.rmtree(tmp_path / "away")


def test_next_hands_nothing_out_that_would_pass_the_limit_of_gpu_seconds_and_ends_when_it_is_spent(
    tmp_path: Path,
) -> None:
    watched = Watched(tmp_path, {"a": ["s1"], "b": ["s2"]}, gpu_seconds=0.5)
    assert watched.run.next() == "a"
    assert watched.run.next() is None  # there is room for b, but a is expected to take what is left
    watched.finish("a", "s1", gpu_seconds=0.6)
    assert watched.run.next() is FINISHED
    assert watched.run.budget_spent


def test_interrupted_counts_a_trial_as_done_that_has_left_its_result_and_no_other(tmp_path: Path) -> None:
    watched = Watched(tmp_path, {"a": ["s1"], "b": ["s2"], "c": ["s3"]})
    write(watched.store, layout.trial_result(STUDY, "b"), trial_result("b"))  # by an earlier run, of other benchmarks
    assert {watched.run.next(), watched.run.next()} == {"a", "b"}
    for trial, node in (("a", "n1"), ("b", "n2")):
        watched.report(trial, Started(fresh_group=True), node)
    write(watched.store, layout.trial_result(STUDY, "a"), trial_result("a", cost=Cost(3.0, 3.0, 3.0)))
    watched.run.interrupted(InterruptedRunError(signal.SIGTERM))
    outcomes = watched.attempts.outcomes(signal.SIGTERM)
    assert (outcomes.done, outcomes.killed, outcomes.not_started) == (("a",), ("b",), ("c",))
    assert not watched.store.exists(layout.trial_failure(STUDY, "a"))
    assert [event.event for event in watched.events if event.trial == "a"][-1] == TrialDone()
    assert lease_files(watched.root) == []
