"""`status` in the terminal: counts, what every running and stopped trial is at, failures in groups."""

from __future__ import annotations

import json

import pytest

from orchestrator.state.status import StudyStatus, study_status, to_json
from orchestrator.terminal.status import to_terminal
from search_spaces.plan import Plan
from tests.support.stored_studies import (
    answers,
    fail_trial,
    finish_stage,
    finish_trial,
    hold_running,
    key_of,
    put_failure_aside,
    spool_step,
    trial_of,
    two_stage_plan,
)
from tests.support.terminal_text import shown
from trainables.storage import layout
from trainables.storage.owner import Owner
from trainables.storage.record_files import write
from trainables.storage.records import Resume, Resumes
from trainables.storage.store import LocalStore


@pytest.fixture
def plan() -> Plan:
    return two_stage_plan()


def _shown(status: StudyStatus, width: int = 100) -> str:
    return shown(lambda console: to_terminal(status, console), width)


def test_terminal_counts_trials_and_says_how_much_training_is_left(plan: Plan, store: LocalStore) -> None:
    assert "small: 6 pending" in _shown(study_status(plan, store))
    finish_stage(store, plan.nodes["align-s7"])
    hold_running(store, plan, "r64-s7", [spool_step(30, 0), spool_step(50, 10)])
    assert "50 of 520 steps, 0 of 12 scores, about 4 min of training left" in _shown(study_status(plan, store))


def test_terminal_shows_step_and_loss_of_a_running_trial(plan: Plan, store: LocalStore) -> None:
    finish_stage(store, plan.nodes["align-s7"])
    hold_running(store, plan, "r64-s7", [spool_step(30, 0, 0.9), spool_step(50, 10, 0.25)])
    text = _shown(study_status(plan, store))
    assert "30/80" in text
    assert "0.2500" in text


def test_terminal_shows_where_a_trial_stopped(plan: Plan, store: LocalStore) -> None:
    store.put(f"{layout.step_checkpoint(key_of('finetune-r64-s7'), 40)}/state", b"weights")
    lines = "".join(json.dumps(spool_step(step, step)) + "\n" for step in range(1, 66))
    store.put(layout.spool(plan.study, "r64-s7"), lines.encode())
    shown = _shown(study_status(plan, store))
    assert "half-done r64-s7, stopped in finetune 45/80; kept: 40 of 100 steps, 0 of 2 scores" in shown


def test_terminal_and_json_say_from_where_a_stage_was_begun_anew_and_why(plan: Plan, store: LocalStore) -> None:
    hold_running(store, plan, "r64-s7", [])
    name = layout.trial_resumes(plan.study, "r64-s7")
    went_on = Resume("align", 4, 1)
    anew = Resume(
        "finetune", 0, 2, {"/storage/00000040-x": "the file a.pt: it is not there", "/storage/00000020-x": "as well"}
    )
    write(store, name, Resumes((went_on, anew)))
    sentence = "finetune was begun anew from step 0, as /storage/00000040-x could not be used (and 1 more checkpoint)"
    status = study_status(plan, store)
    assert f"restarted r64-s7: {sentence}: the file a.pt: it is not there" in _shown(status)
    assert sentence in to_json(status)
    write(store, name, Resumes((anew, went_on)))
    assert "restarted r64" not in _shown(study_status(plan, store))


def test_terminal_says_of_a_trained_trial_that_only_scores_are_missing(plan: Plan, store: LocalStore) -> None:
    finish_trial(store, plan, trial_of(plan, "base", 7), {"shape": answers(0.9)})
    lines = "".join(json.dumps(spool_step(step, step)) + "\n" for step in range(1, 101))
    store.put(layout.spool(plan.study, "r64-s7"), lines.encode())
    assert "half-done r64-s7, trained, to be scored" in _shown(study_status(plan, store))


def test_terminal_counts_trials_that_wait_for_a_stage_of_another(plan: Plan, store: LocalStore) -> None:
    hold_running(store, plan, "r64-s7", [])
    assert store.lease(key_of("align-s7"), Owner.here())
    assert "2 wait for a stage" in _shown(study_status(plan, store))


def test_terminal_of_a_finished_study_says_so_first(plan: Plan, store: LocalStore) -> None:
    for trial in plan.trials:
        finish_trial(store, plan, trial, {"shape": answers(0.9), "colour": answers(0.5)})
    assert _shown(study_status(plan, store)).splitlines()[0] == "small: 6 done"


def test_terminal_groups_equal_failures_and_prints_a_log(plan: Plan, store: LocalStore) -> None:
    for trial in plan.trials[:4]:
        fail_trial(store, plan, trial)
    fail_trial(store, plan, trial_of(plan, "resolution=16px", 7), "no space left on device")
    text = _shown(study_status(plan, store), width=300)
    assert "failed r64-s7 and 3 more: lost: CUDA is gone" in text
    assert "failed r16-s7: lost: no space left on device" in text
    assert f"log: {store.root / layout.worker_log(plan.study, 'r64-s7', 0)}" in text


def test_terminal_counts_attempts_that_failed_and_were_followed_by_another(plan: Plan, store: LocalStore) -> None:
    done, failed = plan.trials[0], plan.trials[1]
    finish_trial(store, plan, done, {"shape": answers(0.9), "colour": answers(0.5)})
    for number in (1, 2):
        put_failure_aside(store, plan, done.id, number)
        put_failure_aside(store, plan, failed.id, number)
    fail_trial(store, plan, failed)
    status = study_status(plan, store)
    attempts = {trial.id: trial.failed_attempts for trial in status.trials if trial.failed_attempts}
    assert attempts == {done.id: 2, failed.id: 3}
    text = _shown(status, width=300)
    assert "tried again 1 trial, after 2 failed attempts" in text
    assert f"failed {failed.id}: lost: CUDA is gone (attempt 3)" in text


def test_terminal_of_5000_trials_stays_readable(store: LocalStore) -> None:
    plan = two_stage_plan(resolutions=tuple(range(16, 2516)))
    for trial in plan.trials[:60]:
        fail_trial(store, plan, trial, f"failure number {trial.id}")
    for node in list(plan.nodes)[:9]:
        if plan.nodes[node].kind == "stage":
            finish_stage(store, plan.nodes[node])
    text = _shown(study_status(plan, store))
    assert len(text.splitlines()) < 100
    assert "and 40 more kinds of failure" in text
