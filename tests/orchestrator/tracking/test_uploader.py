"""The replay in a thread of the driver, against a server in memory that can be away."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from orchestrator.tracking.sync import sync_study
from orchestrator.tracking.tracker import NONE, Point, TrackerAwayError
from orchestrator.tracking.uploader import Uploader
from search_spaces.plan import PlannedTrial
from tests.support.memory_tracker import MemoryTracker
from tests.support.spools import PLAN, TRIAL, fail, now_ms, spool_of, succeed, write_steps
from tests.support.stored_studies import study_of
from trainables.storage import layout
from trainables.storage.owner import Owner
from trainables.storage.store import LocalStore


def test_uploader_after_a_restart_sends_only_what_is_new(store: LocalStore) -> None:
    spool, tracker = spool_of(store), MemoryTracker()
    write_steps(spool, range(3))
    Uploader(tracker, store, study_of(), PLAN).start().stop()
    sent = set(tracker.points[tracker.runs[TRIAL]])
    tracker.points.clear()

    write_steps(spool, range(3, 5))
    Uploader(tracker, store, study_of(), PLAN).start().stop()

    assert tracker.steps(TRIAL, "train/loss") == [3, 4]
    assert len(sent) == 6


def test_uploader_while_the_server_is_away_loses_nothing(store: LocalStore) -> None:
    spool, tracker = spool_of(store), MemoryTracker()
    notices: list[str] = []
    write_steps(spool, range(3))
    uploader = Uploader(tracker, store, study_of(), PLAN, notice=notices.append, poll_s=0.01).start()
    assert uploader.drain(30)

    tracker.away = True
    write_steps(spool, range(3, 6))
    assert not uploader.drain(0.2)
    write_steps(spool, range(6, 9))
    tracker.away = False

    assert uploader.drain(30)
    assert tracker.steps(TRIAL, "train/loss") == list(range(9))
    assert sum("away" in notice for notice in notices) == 1
    assert sum("back" in notice for notice in notices) == 1
    assert uploader.stop()


def test_uploader_stopped_while_the_server_is_away_says_how_to_send_the_rest(store: LocalStore) -> None:
    write_steps(spool_of(store), range(3))
    tracker = MemoryTracker()
    tracker.away = True
    notices: list[str] = []
    uploader = Uploader(
        tracker, store, study_of(), PLAN, notice=notices.append, sync_command="ablate sync small --storage /s"
    ).start()

    assert not uploader.stop()

    assert notices[-1].endswith("To send it later:  ablate sync small --storage /s")
    tracker.away = False
    sync_study(study_of(), PLAN, store, tracker)
    assert tracker.steps(TRIAL, "train/loss") == [0, 1, 2]


def test_uploader_survives_a_defect_and_shows_it_once(store: LocalStore) -> None:
    write_steps(spool_of(store), range(3))
    tracker = MemoryTracker()
    notices: list[str] = []

    def broken(values: Mapping[str, float]) -> None:
        raise KeyError("a defect")

    tracker.show_progress = broken  # type: ignore[method-assign]
    uploader = Uploader(tracker, store, study_of(), PLAN, notice=notices.append, poll_s=0.01).start()
    uploader.drain(0.3)
    uploader.stop()

    assert tracker.steps(TRIAL, "train/loss") == [0, 1, 2]
    assert sum("a defect" in notice for notice in notices) == 1


def test_stop_closes_an_interrupted_trial_as_killed(store: LocalStore) -> None:
    write_steps(spool_of(store), range(3))
    tracker = MemoryTracker()
    Uploader(tracker, store, study_of(), PLAN).start().stop()
    assert tracker.status[tracker.runs[TRIAL]] == "KILLED"
    assert tracker.study == "KILLED"


def test_stop_leaves_what_another_driver_runs_open(store: LocalStore) -> None:
    write_steps(spool_of(store), range(3))
    tracker = MemoryTracker()
    lease = store.lease(layout.trial_lease(PLAN.study, TRIAL), Owner.here())
    assert lease is not None

    Uploader(tracker, store, study_of(), PLAN).start().stop()
    assert (tracker.status[tracker.runs[TRIAL]], tracker.study) == ("RUNNING", "RUNNING")

    lease.release()
    Uploader(tracker, store, study_of(), PLAN).start().stop()
    assert (tracker.status[tracker.runs[TRIAL]], tracker.study) == ("KILLED", "KILLED")


def test_trial_taken_up_again_is_running_and_then_finished(store: LocalStore) -> None:
    spool, tracker = spool_of(store), MemoryTracker()
    write_steps(spool, range(3))
    fail(store, TRIAL, "lost", now_ms())
    Uploader(tracker, store, study_of(), PLAN).start().stop()
    run = tracker.runs[TRIAL]
    assert tracker.status[run] == "FAILED"

    resumed = now_ms() + 1000  # the failure's file is still there
    with (store.root / layout.spool(PLAN.study, TRIAL)).open("a") as file:
        file.write(json.dumps({"ts": resumed, "step": 3, "metrics": {"train/loss": 0.2}}) + "\n")
    lease = store.lease(layout.trial_lease(PLAN.study, TRIAL), Owner.here())
    assert lease is not None
    uploader = Uploader(tracker, store, study_of(), PLAN, poll_s=0.01).start()
    assert uploader.drain(30)
    assert (tracker.status[run], tracker.counts["failed"]) == ("RUNNING", 0)

    lease.release()
    store.remove(layout.trial_failure(PLAN.study, TRIAL))
    succeed(store, TRIAL)
    uploader.stop()
    assert (tracker.status[run], tracker.counts["done"]) == ("FINISHED", 1)
    assert tracker.tags[run]["ablate.error_class"] == "none"


def test_stale_run_of_a_dead_driver_is_closed_at_the_next_start(store: LocalStore) -> None:
    spool, tracker = spool_of(store), MemoryTracker()
    write_steps(spool, range(3))
    uploader = Uploader(tracker, store, study_of(), PLAN).start()
    assert uploader.drain(30)
    uploader.stop()
    tracker.status[tracker.runs[TRIAL]] = "RUNNING"  # as it stays where a driver is killed

    uploader = Uploader(tracker, store, study_of(), PLAN).start()
    assert uploader.drain(30)

    assert tracker.status[tracker.runs[TRIAL]] == "KILLED"
    uploader.stop()


class FlakyTracker(MemoryTracker):
    """A server that takes a request and then does not say so, every third time."""

    def _request(self) -> None:
        self.requests += 1

    def log(
        self, run: str, points: Sequence[Point], params: Mapping[str, str] = NONE, tags: Mapping[str, str] = NONE
    ) -> None:
        super().log(run, points, params, tags)
        self._lose_the_answer()

    def open_trial(self, trial: PlannedTrial, run: str | None, started: int) -> str:
        found = super().open_trial(trial, run, started)
        self._lose_the_answer()
        return found

    def _lose_the_answer(self) -> None:
        if self.requests % 3 == 0:
            raise TrackerAwayError("the connection was closed")


def test_a_server_whose_answers_get_lost_has_everything_once(store: LocalStore) -> None:
    spools, tracker = [spool_of(store, trial.id) for trial in PLAN.trials], FlakyTracker()
    uploader = Uploader(tracker, store, study_of(), PLAN, notice=lambda text: None, poll_s=0.001).start()
    for begin in range(0, 30, 5):
        for spool in spools:
            write_steps(spool, range(begin, begin + 5))
        assert uploader.drain(60)
    uploader.stop()
    for trial in PLAN.trials:
        assert tracker.steps(trial.id, "train/loss") == list(range(30))
    assert len(tracker.runs) == len(PLAN.trials)


def test_mark_of_unclosed_runs_is_there_until_all_are_closed(store: LocalStore) -> None:
    spool, tracker = spool_of(store), MemoryTracker()
    write_steps(spool, range(3))
    uploader = Uploader(tracker, store, study_of(), PLAN).start()
    assert store.list(layout.unclosed_runs(PLAN.study))
    assert uploader.stop()
    assert not store.list(layout.unclosed_runs(PLAN.study))
