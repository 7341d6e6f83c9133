"""Claims about orchestrator/running/attempts.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.running.attempts import Attempts, Outcomes
from orchestrator.running.retry_policy import Again, GivenUp
from orchestrator.running.trial_events import AttemptFailed, Dispatched, TrialEvent
from search_spaces.outcomes import Started, TrialDone
from search_spaces.resources import micro_batch
from tests.support.fake_trials import STUDY, Fakes
from trainables.smaller_batches import use_smaller_batches
from trainables.storage import layout
from trainables.storage.record_files import read
from trainables.storage.records import Failure
from trainables.storage.store import LocalStore
from trainables.task import TrialTask


@pytest.fixture
def events() -> list[TrialEvent]:
    return []


@pytest.fixture
def attempts(tmp_path: Path, events: list[TrialEvent]) -> Attempts:
    """Of the trials a, b, c and d, with a stage each."""
    fakes = Fakes(tmp_path, {name: [f"s-{name}"] for name in "abcd"})
    return Attempts(STUDY, fakes.paths, fakes.task, LocalStore(tmp_path), events.append)


def given(store: LocalStore) -> TrialTask:
    """The task of trial a, as its workers read it."""
    task = read(store, layout.trial_task(STUDY, "a"), TrialTask)
    assert task is not None
    return task


def test_prepare_writes_the_task_and_puts_the_failure_of_an_earlier_attempt_aside(
    attempts: Attempts, tmp_path: Path
) -> None:
    store = LocalStore(tmp_path)
    lost = attempts.record("a", "lost", "its process is gone")
    attempts.failed("a", lost, GivenUp())
    attempts.prepare("a", ())
    task = given(store)
    assert (task.id, task.attempt) == ("a", 2)
    assert read(store, layout.trial_failure(STUDY, "a"), Failure) is None
    assert read(store, layout.trial_attempt(STUDY, "a", 1), Failure) == lost
    assert attempts.running == ("a",)


def test_prepare_attempt_after_one_that_ran_out_of_memory_gets_a_smaller_micro_batch(
    attempts: Attempts, tmp_path: Path
) -> None:
    store = LocalStore(tmp_path)
    attempts.prepare("a", ())
    first = read(store, layout.trial_task(STUDY, "a"), TrialTask)
    assert first is not None
    use_smaller_batches(first, first.stages[0].node, store)
    attempts.prepare("a", ())
    second = read(store, layout.trial_task(STUDY, "a"), TrialTask)
    assert second is not None
    assert second.stages[0].resources.micro_batch == first.trial.stages[0].global_batch // 2


def test_failed_failure_that_was_recorded_where_it_happened_holds(attempts: Attempts, events: list[TrialEvent]) -> None:
    attempts.prepare("a", ())
    recorded = attempts.record("a", "memory", "out of memory", "Traceback")
    assert attempts.record("a", "lost", "its process is gone") == recorded
    attempts.failed("a", recorded, GivenUp())
    assert attempts.outcomes().failed == {"a": recorded}
    assert [event.event for event in events] == [Dispatched(), AttemptFailed(recorded, GivenUp())]


def test_again_the_trial_waits_and_every_failure_is_kept_in_order(
    attempts: Attempts, events: list[TrialEvent], tmp_path: Path
) -> None:
    store, again = LocalStore(tmp_path), Again(0.0, 1, 3)
    for number in (1, 2, 3):
        attempts.prepare("a", ())
        attempts.placed("a", "node-id", "node-7")
        attempts.again("a", attempts.record("a", "lost", f"loss {number}"), again)
    kept = [read(store, name, Failure) for name in store.list(layout.trial_attempts(STUDY, "a"))]
    told = [(failure.message, failure.attempt, failure.host, failure.node_id) for failure in kept if failure]
    assert told == [(f"loss {number}", number, "node-7", "node-id") for number in (1, 2, 3)]
    assert [event.event.follows for event in events if isinstance(event.event, AttemptFailed)] == [again] * 3
    outcomes = attempts.outcomes()
    assert ("a" in outcomes.not_started, outcomes.failed) == (True, {})


def test_record_storage_that_takes_nothing_does_not_lose_the_failure(attempts: Attempts, tmp_path: Path) -> None:
    attempts.prepare("a", ())
    (tmp_path / "studies").rename(tmp_path / "away")
    (tmp_path / "studies").write_text("no folder")
    assert attempts.record("a", "full", "No space left on device").kind == "full"


def test_use_smaller_batches_says_what_the_next_attempt_does_differently_until_nothing_smaller_is_left(
    attempts: Attempts, tmp_path: Path
) -> None:
    store, sizes = LocalStore(tmp_path), []
    while True:
        attempts.prepare("a", ())
        task = given(store)
        sizes.append(micro_batch(task.trial.stages[0], task.stages[0].resources))
        failure = attempts.record("a", "memory", "CUDA out of memory")
        remedied = attempts.use_smaller_batches("a", failure)
        if remedied is None:
            break
        assert f"instead of {sizes[-1]}" in remedied.remedy
        attempts.again("a", remedied, Again(0.0, 1, 1))
    assert sizes == [8, 4, 2, 1]
    assert len(set(sizes)) == len(sizes)


def test_outcomes_tell_done_failed_killed_and_not_started_trials_apart(attempts: Attempts) -> None:
    for trial, fresh in (("a", True), ("b", False), ("c", False)):
        attempts.prepare(trial, ())
        attempts.progressed(trial, Started(fresh_group=fresh))
    attempts.done("a")
    attempts.failed("b", attempts.record("b", "error", "ValueError: broken"), GivenUp())
    attempts.failed("c", attempts.record("c", "killed", "the run was stopped by SIGINT"), GivenUp())
    outcomes = attempts.outcomes(2)
    assert (outcomes.done, list(outcomes.failed), outcomes.killed) == (("a",), ["b"], ("c",))
    assert (outcomes.not_started, outcomes.signal) == (("d",), 2)
    assert (outcomes.groups_started, outcomes.groups_reused) == (1, 2)


def test_outcomes_of_nothing_are_the_default(tmp_path: Path) -> None:
    fakes = Fakes(tmp_path, {})
    assert Attempts(STUDY, (), fakes.task, LocalStore(tmp_path), print).outcomes() == Outcomes()


def test_done_is_announced_as_the_end_of_the_trial(attempts: Attempts, events: list[TrialEvent]) -> None:
    attempts.prepare("a", ())
    attempts.done("a")
    assert [(event.trial, event.event) for event in events] == [("a", Dispatched()), ("a", TrialDone())]


def test_again_after_an_earlier_failure_was_removed_overwrites_none(attempts: Attempts, tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    for number in (1, 2):
        attempts.prepare("a", ())
        attempts.again("a", attempts.record("a", "lost", f"loss {number}"), Again(0.0, 1, 3))
    store.remove(layout.trial_attempt(STUDY, "a", 1))
    attempts.prepare("a", ())
    assert given(store).attempt == 3
    attempts.again("a", attempts.record("a", "lost", "loss 3"), Again(0.0, 1, 3))
    kept = [read(store, layout.trial_attempt(STUDY, "a", number), Failure) for number in (2, 3)]
    assert [failure and failure.message for failure in kept] == ["loss 2", "loss 3"]
