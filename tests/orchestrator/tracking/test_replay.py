"""The replay sends every point, file and status of a spool once, whatever happened between."""

from __future__ import annotations

import json
import math
import os
from dataclasses import replace

import pytest

from orchestrator.tracking.sync import sync_study
from orchestrator.tracking.upload_cursor import POINTS_PER_METRIC
from search_spaces.errors import InputError
from tests.support.memory_tracker import MemoryTracker
from tests.support.small_plans import small_plan
from tests.support.small_records import failure
from tests.support.spools import PLAN, TRIAL, fail, now_ms, spool_of, succeed, write_steps
from tests.support.stored_studies import answers, finish_trial, put_failure_aside, study_of, two_stage_plan
from tests.support.tiny_trials import make_task, run
from trainables.storage import layout
from trainables.storage.record_files import write
from trainables.storage.spool import Spool
from trainables.storage.store import LocalStore


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
    assert tracker.files[run].keys() == {"spec.json", "environment.json", "deepspeed.json"}
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


def test_trial_resumed_from_a_checkpoint_has_each_step_once(store: LocalStore) -> None:
    spool, tracker = spool_of(store), MemoryTracker()
    write_steps(spool, range(8))
    write_steps(spool, range(5, 10))  # the checkpoint was at step 5

    sync_study(study_of(), PLAN, store, tracker)

    assert tracker.steps(TRIAL, "train/loss") == list(range(10))


def test_result_measured_again_replaces_the_old_value(store: LocalStore) -> None:
    tracker = MemoryTracker()
    path = store.root / layout.spool(PLAN.study, TRIAL)
    path.parent.mkdir(parents=True)
    for ts, value in enumerate((70.0, 70.0, 71.0)):
        with path.open("a") as file:
            file.write(json.dumps({"ts": ts, "metrics": {"eval/shapes/accuracy": value}}) + "\n")

    sync_study(study_of(), PLAN, store, tracker)

    assert tracker.values(TRIAL, "eval/shapes/accuracy") == [70.0, 71.0]


def test_spool_that_was_started_anew_gets_a_new_run(store: LocalStore) -> None:
    tracker = MemoryTracker()
    path = store.root / layout.spool(PLAN.study, TRIAL)
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
    path = store.root / layout.spool(plan.study, TRIAL)
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


def test_sync_to_a_server_that_goes_away_is_an_error_that_says_to_repeat(store: LocalStore) -> None:
    write_steps(spool_of(store), range(3))
    tracker = MemoryTracker()
    tracker.away = True
    with pytest.raises(InputError, match="Run the same command again"):
        sync_study(study_of(), PLAN, store, tracker)


def test_what_other_nodes_tell_arrives_once(store: LocalStore) -> None:
    write_steps(spool_of(store), range(3))
    node = Spool(store, layout.node_spool(PLAN.study, TRIAL, 8))
    node.write(step=10, metrics={"system/node_8/cpu_percent": 50.0})
    tracker = MemoryTracker()
    sync_study(study_of(), PLAN, store, tracker)
    node.write(step=20, metrics={"system/node_8/cpu_percent": 60.0})
    sync_study(study_of(), PLAN, store, tracker)
    assert tracker.steps(TRIAL, "system/node_8/cpu_percent") == [10, 20]


def test_a_sample_of_the_machine_after_the_end_is_no_new_attempt(store: LocalStore) -> None:
    path = store.root / layout.spool(PLAN.study, TRIAL)
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


def test_attempts_that_failed_are_counted_and_the_last_one_says_where(store: LocalStore) -> None:
    for number in (1, 2):
        put_failure_aside(store, PLAN, TRIAL, number)
    third = failure(TRIAL, kind="lost", message="gone", traceback="", log="rank-1.log", ts=now_ms())
    write(store, layout.trial_failure(PLAN.study, TRIAL), replace(third, rank=1, host="node-7", attempt=3))
    tracker = MemoryTracker()
    sync_study(study_of(), PLAN, store, tracker)
    run = tracker.runs[TRIAL]
    told = {name: tracker.tags[run].get(f"ablate.{name}") for name in ("failed_attempts", "error_where", "error_log")}
    assert told == {"failed_attempts": "3", "error_where": "rank 1 on node-7", "error_log": "rank-1.log"}
    assert str(tracker.files[run]["error.txt"]).startswith("lost: gone\n\nattempt 3 rank 1 on node-7\n")


def test_a_trial_whose_rank_died_behind_its_result_ends_well_with_the_attempt_that_finds_it_done(
    store: LocalStore,
) -> None:
    """Both on a server that was told of the failure, and on one that hears of the trial afterwards."""
    task = make_task(store.root).model_copy(update={"study": PLAN.study, "id": TRIAL})
    result = store.root / layout.trial_result(PLAN.study, TRIAL)
    during, afterwards = MemoryTracker(), MemoryTracker()
    run(task)
    os.utime(result, (result.stat().st_mtime - 60,) * 2)  # as if the next attempt began a minute later
    fail(store, TRIAL, "lost", now_ms())
    sync_study(study_of(), PLAN, store, during)
    assert during.tags[during.runs[TRIAL]]["ablate.error_class"] == "lost"

    run(task)
    for tracker in (during, afterwards):
        sync_study(study_of(), PLAN, store, tracker)
        of_trial = tracker.runs[TRIAL]
        assert tracker.status[of_trial] == "FINISHED"
        assert tracker.tags[of_trial].get("ablate.error_class", "none") == "none"
        assert tracker.tags[of_trial]["ablate.checkpoint_uri"] == tracker.models[of_trial]["finetune"]
        assert tracker.steps(TRIAL, "train/loss") == [1, 2, 3, 4, 5, 6]


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
