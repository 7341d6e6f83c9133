"""A run is known on storage while it lasts, and ends when somebody asks for it there."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import pytest

from orchestrator.running.registered import RegisteredRun, registered
from orchestrator.state.runs import ask_to_stop, compared_runs, last_run, living_runs
from tests.support.stored_studies import finish_stage, key_of, two_stage_plan
from tests.support.tiny_trials import is_step, make_task, run
from trainables.run_trial import run_trial
from trainables.storage import layout
from trainables.storage.owner import Owner
from trainables.storage.record_files import read, write
from trainables.storage.records import Attempt, AttemptStage, Expected, Resumes, RunForecast, RunRecord, RunUsage
from trainables.storage.store import LocalStore
from trainables.task import Context

STUDY = "small"
FORECAST = RunForecast(2, "2 CPU", Expected(60.0, 12.0, 300.0), Expected(90.0, 18.0, 450.0), {"assumed": 1.0})
TRIAL = "r64-s7"


@dataclass
class Watched:
    """A run with a clock that the test sets, and what it has said and done."""

    store: LocalStore
    now: float = 0.0
    told: list[str] = field(default_factory=list)
    ended: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        record = RunRecord("abc", "login1", 7, "ada@login1", 1, "ablate run small")
        assert self.store.lease(layout.run_lease(STUDY, "abc"), Owner.here())
        end = lambda: self.ended.append(self.now)  # noqa: E731
        self.run = RegisteredRun(self.store, STUDY, record, self.told.append, end, lambda: self.now)

    def ask(self, within_s: float) -> None:
        (run,) = living_runs(self.store, STUDY)
        ask_to_stop(self.store, run, within_s=within_s)

    def look_at(self, *seconds: float) -> None:
        for self.now in seconds:
            self.run.look()


@pytest.fixture
def watched(store: LocalStore) -> Watched:
    return Watched(store)


def _train(store: LocalStore) -> None:
    """Have this process train a trial of two stages."""
    write(
        store, layout.trial_task(STUDY, TRIAL), Attempt(tuple(map(AttemptStage, (key_of("align"), key_of("finetune")))))
    )
    assert store.lease(layout.trial_lease(STUDY, TRIAL), Owner.here())


def _checkpoint(store: LocalStore, stage: str, step: int) -> None:
    store.put(f"{layout.step_checkpoint(key_of(stage), step)}/state", b"weights")


def test_a_run_that_nobody_asks_to_end_goes_on(watched: Watched) -> None:
    watched.look_at(0, 1000)
    assert watched.ended == []


def test_a_run_without_trials_in_training_ends_at_once_and_once(watched: Watched) -> None:
    watched.ask(within_s=60)
    watched.look_at(1, 2, 3)
    assert watched.ended == [1]
    assert len(watched.told) == 1
    assert "asked to stop by" in watched.told[0]


def test_a_trial_in_training_may_reach_its_next_checkpoint_first(watched: Watched, store: LocalStore) -> None:
    _train(store)
    _checkpoint(store, "align", 20)
    watched.ask(within_s=60)
    watched.look_at(0, 10)
    assert watched.ended == []
    _checkpoint(store, "align", 40)
    watched.look_at(20)
    assert watched.ended == [20]


def test_a_checkpoint_that_is_on_its_way_to_storage_gets_its_name_before_the_run_ends(
    watched: Watched, store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers, flush = threading.Event(), os.fsync

    def slow_flush(descriptor: int) -> None:
        if threading.current_thread().name.startswith("step-checkpoint"):
            answers.wait()
        flush(descriptor)

    monkeypatch.setattr(os, "fsync", slow_flush)
    made = make_task(store.root, trial_id=TRIAL, benchmarks=(), checkpoint_every_steps=2, checkpoint_copy="background")
    task = made.model_copy(update={"study": STUDY})
    write(store, layout.trial_task(STUDY, TRIAL), task)
    assert store.lease(layout.trial_lease(STUDY, TRIAL), Owner.here())
    loop = run_trial(task, Context())
    assert any(is_step(progress, 3) for progress in loop)
    watched.ask(within_s=60)
    watched.look_at(0, 10)
    assert watched.ended == []
    answers.set()
    assert any(is_step(progress, 4) for progress in loop)  # whose own checkpoint has waited for the one before
    watched.look_at(20)
    assert watched.ended == [20]
    loop.close()  # type: ignore[attr-defined]
    run(task)
    resumes = read(store, layout.trial_resumes(STUDY, TRIAL), Resumes)
    assert resumes is not None
    assert [resume.step for resume in resumes.resumes] == [2]


def test_a_trial_that_gets_to_its_next_stage_has_lost_nothing(watched: Watched, store: LocalStore) -> None:
    _train(store)
    watched.ask(within_s=60)
    watched.look_at(0)
    node = two_stage_plan().nodes["align-s7"]
    finish_stage(store, replace(node, key=key_of("align")))
    watched.look_at(5)
    assert watched.ended == [5]


@pytest.mark.parametrize(("within_s", "ended"), [(0, [0]), (30, [30])])
def test_a_trial_that_reaches_no_checkpoint_is_ended_when_its_time_is_over(
    within_s: float, ended: list[float], watched: Watched, store: LocalStore
) -> None:
    _train(store)
    watched.ask(within_s=within_s)
    watched.look_at(0, 15, 30, 45)
    assert watched.ended == ended


def test_a_second_request_may_cut_the_time_short(watched: Watched, store: LocalStore) -> None:
    _train(store)
    watched.ask(within_s=600)
    watched.look_at(0, 10)
    watched.ask(within_s=0)
    watched.look_at(11)
    assert watched.ended == [11]


@pytest.fixture
def terminated() -> Iterator[list[int]]:
    """The signals that came, which have no other effect."""
    came: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: came.append(number))
    yield came
    signal.signal(signal.SIGTERM, before)


def test_a_registered_run_goes_on_until_its_block_ends_and_says_how_it_ended(store: LocalStore) -> None:
    with registered(store, STUDY, "ablate run small", lambda text: None) as run:
        assert [living.record for living in living_runs(store, STUDY)] == [run.record]
    assert living_runs(store, STUDY) == []
    last = last_run(store, STUDY)
    assert last is not None
    assert (last.command, last.ending) == ("ablate run small", "ended")
    assert last.ended is not None


def test_what_a_run_was_to_take_and_has_taken_stays_with_it(store: LocalStore) -> None:
    with registered(store, STUDY, "ablate run small", lambda text: None) as run:
        run.forecast(FORECAST)
        assert compared_runs(store, STUDY) == []
        run.used(RunUsage(2, 55.0, 110.0))
    (record,) = compared_runs(store, STUDY)
    assert (record.forecast, record.usage, record.ending) == (FORECAST, RunUsage(2, 55.0, 110.0), "ended")


def test_an_asked_run_gets_the_signal_that_ends_it_and_an_old_request_stops_no_later_run(
    store: LocalStore, terminated: list[int]
) -> None:
    with registered(store, STUDY, "ablate run small", lambda text: None) as run:
        ask_to_stop(store, living_runs(store, STUDY)[0], within_s=0)
        run.look()
    assert terminated == [signal.SIGTERM]
    assert run.request is not None
    with registered(store, STUDY, "ablate run small", lambda text: None) as later:
        later.look()
    assert terminated == [signal.SIGTERM]
    assert later.request is None


def test_a_request_that_comes_as_the_run_ends_is_still_known(store: LocalStore, terminated: list[int]) -> None:
    with registered(store, STUDY, "ablate run small", lambda text: None) as run:
        ask_to_stop(store, living_runs(store, STUDY)[0], within_s=60)
    assert run.request is not None


def test_a_run_that_ends_with_an_error_says_which(store: LocalStore) -> None:
    with pytest.raises(ZeroDivisionError), registered(store, STUDY, "ablate run small", lambda text: None):
        raise ZeroDivisionError
    last = last_run(store, STUDY)
    assert last is not None
    assert last.ending == "ZeroDivisionError"
