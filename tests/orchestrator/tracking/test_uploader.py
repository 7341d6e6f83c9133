"""The replay from spools to a tracking server, against a server in memory that can be away."""

from __future__ import annotations

import json
import math
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from orchestrator.reporting.summary import StudySummary
from orchestrator.tracking.sync import sync_study
from orchestrator.tracking.tracker import Point, Status, TrackerAwayError, TrackerRefusedError
from orchestrator.tracking.upload_cursor import POINTS_PER_METRIC
from orchestrator.tracking.uploader import Uploader
from search_spaces.errors import InputError
from search_spaces.plan import Plan, PlannedTrial
from tests.support.small_plans import small_plan
from tests.support.small_records import failure, trial_result
from tests.support.stored_studies import answers, finish_trial, study_of, two_stage_plan
from trainables.storage import layout
from trainables.storage.lease import Owner
from trainables.storage.record_files import write
from trainables.storage.spool import DataUse, Spool
from trainables.storage.store import LocalStore


class MemoryTracker:
    """A server that behaves as MLflow does: equal points are one, runs are found by their trial."""

    server = "memory"

    def __init__(self) -> None:
        self.runs: dict[str, str] = {}
        self.points: dict[str, set[Point]] = defaultdict(set)
        self.tags: dict[str, dict[str, str]] = defaultdict(dict)
        self.files: dict[str, dict[str, str | Path]] = defaultdict(dict)
        self.status: dict[str, Status] = {}
        self.study: Status | None = None
        self.counts: dict[str, float] = {}
        self.data: dict[str, list[DataUse]] = defaultdict(list)
        self.models: dict[str, dict[str, str]] = {}
        self.summary: StudySummary | None = None
        self.views_written = 0
        self.retired: list[str] = []
        self.away = False
        self.requests = 0

    def _request(self) -> None:
        self.requests += 1
        if self.away:
            raise TrackerAwayError("connection refused")

    def open_study(self, plan: Plan, documents: Mapping[str, str]) -> list[str]:
        self._request()
        self.study = "RUNNING"
        return []

    def open_trial(self, trial: PlannedTrial, run: str | None, started: int) -> str:
        self._request()
        if trial.id not in self.runs:
            self.runs[trial.id] = f"run{len(self.runs)}-{len(self.retired)}"
            self.status[self.runs[trial.id]] = "RUNNING"
        return self.runs[trial.id]

    def log(self, run: str, points: Sequence[Point]) -> None:
        self._request()
        if any(point.metric == "refused" for point in points):
            raise TrackerRefusedError("no such name")
        self.points[run] |= set(points)

    def annotate(self, run: str, params: Mapping[str, str], tags: Mapping[str, str]) -> None:
        self._request()
        self.tags[run] |= tags

    def attach(self, run: str, name: str, content: str | Path) -> None:
        self._request()
        self.files[run][name] = content

    def link_data(self, run: str, data: Sequence[DataUse]) -> None:
        self._request()
        self.data[run] += data

    def offer_model(self, run: str, trial: PlannedTrial, checkpoints: Mapping[str, str]) -> None:
        self._request()
        self.models[run] = dict(checkpoints)

    def set_status(self, run: str, status: Status, ts: int) -> None:
        self._request()
        self.status[run] = status

    def retire(self, run: str) -> None:
        self.retired.append(run)
        self.runs = {trial: other for trial, other in self.runs.items() if other != run}

    def unfinished(self) -> dict[str, str]:
        self._request()
        return {trial: run for trial, run in self.runs.items() if self.status[run] == "RUNNING"}

    def show_progress(self, values: Mapping[str, float]) -> None:
        self._request()
        self.counts = dict(values)

    def show_summary(self, summary: StudySummary) -> None:
        self._request()
        self.summary = summary

    def write_views(self) -> list[str]:
        self._request()
        self.views_written += 1
        return []

    def close_study(self, status: Status) -> None:
        self._request()
        self.study = status

    def steps(self, trial: str, metric: str) -> list[int]:
        return sorted(point.step for point in self.points[self.runs[trial]] if point.metric == metric)

    def values(self, trial: str, metric: str) -> list[float]:
        newest_last = sorted(self.points[self.runs[trial]], key=lambda point: point.ts)
        return [point.value for point in newest_last if point.metric == metric]


PLAN = small_plan()
TRIAL = "r64-s7"


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path)


def spool_of(store: LocalStore, trial: str = TRIAL) -> Spool:
    return Spool(store.path(layout.spool(PLAN.study, trial)))


def write_steps(spool: Spool, steps: range) -> None:
    for step in steps:
        spool.write(step=step, metrics={"train/loss": 1 / (step + 1), "train/lr": 0.1})


def fail(store: LocalStore, trial: str, kind: str, ts: int) -> None:
    write(store, layout.trial_failure(PLAN.study, trial), failure(trial, kind=kind, log="rank-0.log", ts=ts))


def succeed(store: LocalStore, trial: str) -> None:
    write(store, layout.trial_result(PLAN.study, trial), trial_result(trial))


def now_ms() -> int:
    return int(time.time() * 1000)


def test_sync_sends_points_files_tags_and_true_statuses(store: LocalStore) -> None:
    spool = spool_of(store)
    spool.write(status="RUNNING")
    write_steps(spool, range(5))
    spool.write(tags={"ablate.zero": "2"})
    spool.write(artifact={"name": "deepspeed.json", "text": "{}"})
    spool.write(metrics={"eval/shapes/accuracy": 71.5})
    succeed(store, TRIAL)
    fail(store, "r32-s7", "lost", now_ms())
    tracker = MemoryTracker()

    sync_study(study_of(), PLAN, store, tracker)

    run, failed = tracker.runs[TRIAL], tracker.runs["r32-s7"]
    assert tracker.steps(TRIAL, "train/loss") == [0, 1, 2, 3, 4]
    assert tracker.values(TRIAL, "eval/shapes/accuracy") == [71.5]
    assert tracker.tags[run]["ablate.zero"] == "2"
    assert tracker.files[run] == {"deepspeed.json": "{}"}
    assert (tracker.status[run], tracker.status[failed]) == ("FINISHED", "FAILED")
    assert tracker.tags[failed]["ablate.error_class"] == "lost"
    assert "worker died" in str(tracker.files[failed]["error.txt"])
    assert tracker.counts == {"done": 1, "running": 0, "failed": 1, "pending": 0, "gpu_hours": 0.0, "eta_s": 0.0}
    assert tracker.study == "FAILED"


def test_sync_twice_to_one_server_changes_nothing(store: LocalStore) -> None:
    write_steps(spool_of(store), range(30))
    succeed(store, TRIAL)
    tracker = MemoryTracker()
    sync_study(study_of(), PLAN, store, tracker)
    before = (dict(tracker.points), dict(tracker.status), dict(tracker.runs))

    sync_study(study_of(), PLAN, store, tracker)

    assert (dict(tracker.points), dict(tracker.status), dict(tracker.runs)) == before


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


def test_trial_resumed_from_a_checkpoint_has_each_step_once(store: LocalStore) -> None:
    spool, tracker = spool_of(store), MemoryTracker()
    write_steps(spool, range(8))
    write_steps(spool, range(5, 10))  # the checkpoint was at step 5

    sync_study(study_of(), PLAN, store, tracker)

    assert tracker.steps(TRIAL, "train/loss") == list(range(10))


def test_result_measured_again_replaces_the_old_value(store: LocalStore) -> None:
    tracker = MemoryTracker()
    path = store.path(layout.spool(PLAN.study, TRIAL))
    path.parent.mkdir(parents=True)
    for ts, value in enumerate((70.0, 70.0, 71.0)):
        with path.open("a") as file:
            file.write(json.dumps({"ts": ts, "metrics": {"eval/shapes/accuracy": value}}) + "\n")

    sync_study(study_of(), PLAN, store, tracker)

    assert tracker.values(TRIAL, "eval/shapes/accuracy") == [70.0, 71.0]


def test_spool_that_was_started_anew_gets_a_new_run(store: LocalStore) -> None:
    tracker = MemoryTracker()
    path = store.path(layout.spool(PLAN.study, TRIAL))
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"ts": 1000, "step": 9, "metrics": {"train/loss": 1.0}}) + "\n")
    sync_study(study_of(), PLAN, store, tracker)
    first = tracker.runs[TRIAL]

    path.write_text(json.dumps({"ts": 2000, "step": 1, "metrics": {"train/loss": 3.0}}) + "\n")
    sync_study(study_of(), PLAN, store, tracker)

    assert tracker.retired == [first]
    assert tracker.values(TRIAL, "train/loss") == [3.0]


def test_metric_of_a_long_trial_is_thinned_and_keeps_its_last_value(store: LocalStore) -> None:
    steps = 4 * POINTS_PER_METRIC
    plan, tracker = small_plan(steps=steps), MemoryTracker()
    path = store.path(layout.spool(plan.study, TRIAL))
    path.parent.mkdir(parents=True)
    lines = [{"ts": step, "step": step, "metrics": {"train/loss": 1.0}} for step in range(1, steps + 1)]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    with path.open("a") as file:
        file.write(json.dumps({"ts": steps + 1, "metrics": {"eval/shapes/accuracy": 70.0}}) + "\n")
        file.write(json.dumps({"ts": steps + 1, "status": "FINISHED"}) + "\n")

    sync_study(study_of(), plan, store, tracker)

    sent = tracker.steps(TRIAL, "train/loss")
    assert len(sent) == pytest.approx(POINTS_PER_METRIC, abs=2)
    assert (sent[0], sent[-1]) == (1, steps)
    assert tracker.values(TRIAL, "eval/shapes/accuracy") == [70.0]


def test_first_value_that_is_not_finite_is_tagged(store: LocalStore) -> None:
    spool, tracker = spool_of(store), MemoryTracker()
    spool.write(step=3, metrics={"train/loss": math.inf})
    spool.write(step=4, metrics={"train/loss": math.nan})

    sync_study(study_of(), PLAN, store, tracker)

    assert tracker.tags[tracker.runs[TRIAL]]["ablate.non_finite"] == "train/loss = inf at step 3"


def test_refused_metric_is_noticed_and_everything_else_arrives(store: LocalStore) -> None:
    spool, tracker = spool_of(store), MemoryTracker()
    notices: list[str] = []
    write_steps(spool, range(3))
    spool.write(step=3, metrics={"refused": 1.0, "train/loss": 0.1})

    sync_study(study_of(), PLAN, store, tracker, notices.append)

    assert tracker.steps(TRIAL, "train/loss") == [0, 1, 2, 3]
    assert any("refused" in notice for notice in notices)


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
    uploader = Uploader(tracker, store, study_of(), PLAN, notice=notices.append).start()

    assert not uploader.stop()

    assert "ablate sync small" in notices[-1]
    tracker.away = False
    sync_study(study_of(), PLAN, store, tracker)
    assert tracker.steps(TRIAL, "train/loss") == [0, 1, 2]


def test_sync_to_a_server_that_goes_away_is_an_error_that_says_to_repeat(store: LocalStore) -> None:
    write_steps(spool_of(store), range(3))
    tracker = MemoryTracker()
    tracker.away = True
    with pytest.raises(InputError, match="Run the same command again"):
        sync_study(study_of(), PLAN, store, tracker)


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
    with store.path(layout.spool(PLAN.study, TRIAL)).open("a") as file:
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


def test_what_other_nodes_tell_arrives_once(store: LocalStore) -> None:
    write_steps(spool_of(store), range(3))
    node = Spool(store.path(layout.node_spool(PLAN.study, TRIAL, 8)))
    node.write(step=10, metrics={"system/node_8/cpu_percent": 50.0})
    tracker = MemoryTracker()
    sync_study(study_of(), PLAN, store, tracker)
    node.write(step=20, metrics={"system/node_8/cpu_percent": 60.0})
    sync_study(study_of(), PLAN, store, tracker)
    assert tracker.steps(TRIAL, "system/node_8/cpu_percent") == [10, 20]


def test_a_sample_of_the_machine_after_the_end_is_no_new_attempt(store: LocalStore) -> None:
    path = store.path(layout.spool(PLAN.study, TRIAL))
    spool = spool_of(store)
    write_steps(spool, range(3))
    fail(store, TRIAL, "hung", now_ms())
    with path.open("a") as file:
        sample = {"ts": now_ms() + 5000, "step": 30, "metrics": {"system/node_0/cpu_percent": 50.0}}
        file.write(json.dumps(sample) + "\n")
    tracker = MemoryTracker()
    sync_study(study_of(), PLAN, store, tracker)
    assert tracker.status[tracker.runs[TRIAL]] == "FAILED"
    assert tracker.steps(TRIAL, "system/node_0/cpu_percent") == [30]


def test_a_failure_is_shown_with_the_end_of_its_log(store: LocalStore) -> None:
    log = layout.worker_log(PLAN.study, TRIAL, 3)
    store.put(log, b"".join(b"line %d\n" % number for number in range(100)))
    memory = failure(TRIAL, kind="memory", message="full", traceback="Trace", log=log, ts=now_ms())
    write(store, layout.trial_failure(PLAN.study, TRIAL), memory)
    tracker = MemoryTracker()
    sync_study(study_of(), PLAN, store, tracker)
    text = str(tracker.files[tracker.runs[TRIAL]]["error.txt"])
    assert text.startswith("memory: full\n\nTrace\n")
    assert text.endswith("line 99\n")
    assert "line 59\n" not in text
    assert tracker.tags[tracker.runs[TRIAL]]["ablate.error_class"] == "memory"


def test_views_are_written_at_the_start_and_again_at_the_end(store: LocalStore) -> None:
    tracker = MemoryTracker()
    sync_study(study_of(), PLAN, store, tracker)
    assert tracker.views_written == 2


def test_views_that_cannot_be_written_cost_nothing_but_a_notice(store: LocalStore) -> None:
    write_steps(spool_of(store), range(3))
    tracker, notices = MemoryTracker(), []

    def broken() -> list[str]:
        raise TypeError("a defect")

    tracker.write_views = broken  # type: ignore[method-assign]
    sync_study(study_of(), PLAN, store, tracker, notices.append)
    assert tracker.steps(TRIAL, "train/loss") == [0, 1, 2]
    assert notices == ["tracking: not recorded: saved views: TypeError: a defect"]


def test_a_summary_is_shown_when_trials_have_finished_and_not_before(store: LocalStore) -> None:
    plan = two_stage_plan(resolutions=(64, 32), seeds=(7,))
    tracker = MemoryTracker()
    sync_study(study_of(), plan, store, tracker)
    assert tracker.summary is None
    finish_trial(store, plan, plan.trials[0], {"shape": answers(0.9), "colour": answers(0.5)})
    sync_study(study_of(), plan, store, tracker)
    assert tracker.summary is not None
    assert [arm.arm for arm in tracker.summary.arms] == ["base"]
    assert set(tracker.models) == {tracker.runs["r64-s7"]}
    assert set(tracker.models[tracker.runs["r64-s7"]]) == {"align", "finetune"}


class FlakyTracker(MemoryTracker):
    """A server that takes a request and then does not say so, every third time."""

    def _request(self) -> None:
        self.requests += 1

    def log(self, run: str, points: Sequence[Point]) -> None:
        super().log(run, points)
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
