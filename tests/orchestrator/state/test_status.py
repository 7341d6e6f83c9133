"""Status of a study: its counts, where every trial is, and what is left."""

from __future__ import annotations

import json

import pytest

from orchestrator.state.status import TrialStatus, study_status, to_json
from search_spaces.plan import Plan
from tests.support.stored_studies import (
    answers,
    finish_stage,
    finish_trial,
    hold_running,
    key_of,
    spool_step,
    two_stage_plan,
)
from trainables.storage import layout
from trainables.storage.lease import Owner
from trainables.storage.store import LocalStore


@pytest.fixture
def plan() -> Plan:
    return two_stage_plan()


def _status(plan: Plan, store: LocalStore, trial: str) -> TrialStatus:
    return next(status for status in study_status(plan, store).trials if status.id == trial)


def test_status_of_an_empty_storage_counts_pending_trials(plan: Plan, store: LocalStore) -> None:
    status = study_status(plan, store)
    assert status.counts["pending"] == 6
    assert (status.steps_done, status.steps, status.eta_s) == (0, 2 * 20 + 6 * 80, None)


def test_status_of_a_running_trial_tells_stage_step_loss_rate_and_what_is_left(plan: Plan, store: LocalStore) -> None:
    finish_stage(store, plan.nodes["align-s7"])
    hold_running(
        store, plan, "r64-s7", [{"ts": 1, "status": "RUNNING"}, spool_step(30, 0, 0.9), spool_step(50, 10, 0.25)]
    )
    trial = _status(plan, store, "r64-s7")
    assert (trial.state, trial.stage, trial.step, trial.steps) == ("running", "finetune", 30, 80)
    assert (trial.loss, trial.samples_per_s, trial.eta_s) == (0.25, 64.0, 25.0)


def test_status_of_the_study_counts_shared_steps_once_and_derives_the_rest_from_the_pace(
    plan: Plan, store: LocalStore
) -> None:
    finish_stage(store, plan.nodes["align-s7"])
    hold_running(store, plan, "r64-s7", [spool_step(30, 0), spool_step(50, 10)])
    status = study_status(plan, store)
    assert status.steps_done == 20 + 30
    assert status.eta_s == (520 - 50) / 2


def test_status_of_a_trial_past_its_stages_is_at_its_evaluation(plan: Plan, store: LocalStore) -> None:
    for name in ("align-s7", "finetune-r64-s7"):
        finish_stage(store, plan.nodes[name])
    hold_running(store, plan, "r64-s7", [spool_step(90, 0), spool_step(100, 10)])
    trial = _status(plan, store, "r64-s7")
    assert (trial.stage, trial.step, trial.eta_s) == ("evaluation", None, 0)


def test_status_of_a_trial_that_has_just_started_has_no_numbers(plan: Plan, store: LocalStore) -> None:
    hold_running(store, plan, "r64-s7", [])
    trial = _status(plan, store, "r64-s7")
    assert (trial.state, trial.stage, trial.step, trial.loss) == ("running", "align", None, None)


def test_status_of_a_diverging_loss_leaves_it_out_of_the_json(plan: Plan, store: LocalStore) -> None:
    hold_running(store, plan, "r64-s7", [spool_step(4, 0), spool_step(5, 1, float("nan"))])
    assert _status(plan, store, "r64-s7").loss is None
    assert "NaN" not in to_json(study_status(plan, store))


def test_status_reads_on_where_long_records_fill_the_end_of_the_spool(plan: Plan, store: LocalStore) -> None:
    artifact: dict[str, object] = {"ts": 3, "artifact": {"name": "environment.json", "text": "x" * 50_000}}
    hold_running(store, plan, "r64-s7", [spool_step(5, 0), spool_step(10, 1), artifact])
    assert _status(plan, store, "r64-s7").step == 10


def test_status_of_a_stopped_trial_tells_where_it_stopped(plan: Plan, store: LocalStore) -> None:
    store.put(f"{layout.checkpoints(key_of('finetune-r64-s7'))}/00000040/state", b"weights")
    spool = "".join(json.dumps(spool_step(step, step)) + "\n" for step in range(1, 66))
    store.put(layout.spool(plan.study, "r64-s7"), spool.encode())
    trial = _status(plan, store, "r64-s7")
    assert (trial.state, trial.stage, trial.step, trial.steps) == ("half-done", "finetune", 45, 80)
    assert study_status(plan, store).eta_s is None


def test_status_counts_trials_that_wait_for_a_stage_of_another(plan: Plan, store: LocalStore) -> None:
    hold_running(store, plan, "r64-s7", [])
    assert store.lease(key_of("align-s7"), Owner.here())
    status = study_status(plan, store)
    assert [trial.id for trial in status.trials if trial.waits_for == "align"] == ["r32-s7", "r16-s7"]


def test_status_of_a_finished_study_has_nothing_left(plan: Plan, store: LocalStore) -> None:
    for trial in plan.trials:
        finish_trial(store, plan, trial, {"shape": answers(0.9), "colour": answers(0.5)})
    status = study_status(plan, store)
    assert status.steps_done == status.steps
    assert json.loads(to_json(status))["counts"]["done"] == 6
