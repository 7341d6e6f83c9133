"""Claims about orchestrator/running/attempts.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.running.attempts import AttemptFailed, Attempts, Dispatched, Outcomes, TrialEvent
from search_spaces.outcomes import Started, TrialDone
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


def test_prepare_writes_the_task_and_forgets_the_failure_of_an_earlier_attempt(
    attempts: Attempts, tmp_path: Path
) -> None:
    store = LocalStore(tmp_path)
    attempts.failed("a", "lost", "its process is gone")
    attempts.prepare("a")
    assert TrialTask.model_validate_json(store.get(layout.trial_task(STUDY, "a"))).id == "a"
    assert read(store, layout.trial_failure(STUDY, "a"), Failure) is None
    assert attempts.running == ("a",)


def test_prepare_attempt_after_one_that_ran_out_of_memory_gets_a_smaller_micro_batch(
    attempts: Attempts, tmp_path: Path
) -> None:
    store = LocalStore(tmp_path)
    attempts.prepare("a")
    first = read(store, layout.trial_task(STUDY, "a"), TrialTask)
    assert first is not None
    use_smaller_batches(first, first.stages[0].node, store)
    attempts.prepare("a")
    second = read(store, layout.trial_task(STUDY, "a"), TrialTask)
    assert second is not None
    assert second.stages[0].resources.micro_batch == first.trial.stages[0].global_batch // 2


def test_failed_failure_that_was_recorded_where_it_happened_holds(attempts: Attempts, events: list[TrialEvent]) -> None:
    attempts.prepare("a")
    recorded = attempts.record("a", "memory", "out of memory", "Traceback")
    attempts.failed("a", "lost", "its process is gone")
    assert attempts.outcomes(None, None).failed == {"a": recorded}
    assert [event.event for event in events] == [Dispatched(), AttemptFailed(recorded)]


def test_outcomes_tell_done_failed_killed_and_not_started_trials_apart(attempts: Attempts) -> None:
    for trial, fresh in (("a", True), ("b", False), ("c", False)):
        attempts.prepare(trial)
        attempts.progressed(trial, Started(fresh_group=fresh))
    attempts.done("a")
    attempts.failed("b", "error", "ValueError: broken")
    attempts.failed("c", "killed", "the run was stopped by SIGINT")
    outcomes = attempts.outcomes(2, None)
    assert (outcomes.done, list(outcomes.failed), outcomes.killed) == (("a",), ["b"], ("c",))
    assert (outcomes.not_started, outcomes.signal) == (("d",), 2)
    assert (outcomes.groups_started, outcomes.groups_reused) == (1, 2)


def test_outcomes_of_nothing_are_the_default(tmp_path: Path) -> None:
    fakes = Fakes(tmp_path, {})
    assert Attempts(STUDY, (), fakes.task, LocalStore(tmp_path), print).outcomes(None, None) == Outcomes()


def test_done_is_announced_as_the_end_of_the_trial(attempts: Attempts, events: list[TrialEvent]) -> None:
    attempts.prepare("a")
    attempts.done("a")
    assert [(event.trial, event.event) for event in events] == [("a", Dispatched()), ("a", TrialDone())]
