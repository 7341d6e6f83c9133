"""What `status` shows of a study that is under way."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from orchestrator.state.status import StudyStatus, TrialStatus, study_status, to_json
from orchestrator.terminal.status import to_terminal
from search_spaces.plan import Plan
from tests.support.stored_studies import (
    answers,
    fail_trial,
    finish_stage,
    finish_trial,
    key_of,
    trial_of,
    two_stage_plan,
)
from trainables.storage import layout
from trainables.storage.lease import Owner
from trainables.storage.store import LocalStore


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path)


@pytest.fixture
def plan() -> Plan:
    return two_stage_plan()


def _run(store: LocalStore, plan: Plan, trial: str, lines: list[dict[str, object]]) -> None:
    """A living run holds the trial, which has written these spool lines."""
    assert store.lease(layout.trial_lease(plan.study, trial), Owner.here())
    store.put(layout.spool(plan.study, trial), "".join(json.dumps(line) + "\n" for line in lines).encode())


def _step(step: int, seconds: float, loss: float = 0.5) -> dict[str, object]:
    values = {"train/loss": loss, "train/lr": 1e-3, "train/samples_per_s": 64.0}
    return {"ts": 1_700_000_000_000 + round(1000 * seconds), "step": step, "metrics": values}


def _status(plan: Plan, store: LocalStore, trial: str) -> TrialStatus:
    return next(status for status in study_status(plan, store).trials if status.id == trial)


def _shown(status: StudyStatus, width: int = 100) -> str:
    console = Console(file=io.StringIO(), width=width, color_system=None)
    to_terminal(status, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_status_of_an_empty_storage_counts_pending_trials(plan: Plan, store: LocalStore) -> None:
    status = study_status(plan, store)
    assert status.counts["pending"] == 6
    assert (status.steps_done, status.steps, status.eta_s) == (0, 2 * 20 + 6 * 80, None)
    assert "small: 6 pending" in _shown(status)


def test_status_of_a_running_trial_tells_stage_step_loss_rate_and_what_is_left(plan: Plan, store: LocalStore) -> None:
    finish_stage(store, plan.nodes["align-s7"])
    _run(store, plan, "r64-s7", [{"ts": 1, "status": "RUNNING"}, _step(30, 0, 0.9), _step(50, 10, 0.25)])
    trial = _status(plan, store, "r64-s7")
    assert (trial.state, trial.stage, trial.step, trial.steps) == ("running", "finetune", 30, 80)
    assert (trial.loss, trial.samples_per_s, trial.eta_s) == (0.25, 64.0, 25.0)
    shown = _shown(study_status(plan, store))
    assert "30/80" in shown
    assert "0.2500" in shown


def test_status_of_the_study_counts_shared_steps_once_and_derives_the_rest_from_the_pace(
    plan: Plan, store: LocalStore
) -> None:
    finish_stage(store, plan.nodes["align-s7"])
    _run(store, plan, "r64-s7", [_step(30, 0), _step(50, 10)])
    status = study_status(plan, store)
    assert status.steps_done == 20 + 30
    assert status.eta_s == (520 - 50) / 2
    assert "50 of 520 steps, about 4 min of training left" in _shown(status)


def test_status_of_a_trial_past_its_stages_is_at_its_evaluation(plan: Plan, store: LocalStore) -> None:
    for name in ("align-s7", "finetune-r64-s7"):
        finish_stage(store, plan.nodes[name])
    _run(store, plan, "r64-s7", [_step(90, 0), _step(100, 10)])
    trial = _status(plan, store, "r64-s7")
    assert (trial.stage, trial.step, trial.eta_s) == ("evaluation", None, 0)


def test_status_of_a_trial_that_has_just_started_has_no_numbers(plan: Plan, store: LocalStore) -> None:
    _run(store, plan, "r64-s7", [])
    trial = _status(plan, store, "r64-s7")
    assert (trial.state, trial.stage, trial.step, trial.loss) == ("running", "align", None, None)


def test_status_of_a_diverging_loss_leaves_it_out_of_the_json(plan: Plan, store: LocalStore) -> None:
    _run(store, plan, "r64-s7", [_step(4, 0), _step(5, 1, float("nan"))])
    assert _status(plan, store, "r64-s7").loss is None
    assert "NaN" not in to_json(study_status(plan, store))


def test_status_reads_on_where_long_records_fill_the_end_of_the_spool(plan: Plan, store: LocalStore) -> None:
    artifact: dict[str, object] = {"ts": 3, "artifact": {"name": "environment.json", "text": "x" * 50_000}}
    _run(store, plan, "r64-s7", [_step(5, 0), _step(10, 1), artifact])
    assert _status(plan, store, "r64-s7").step == 10


def test_status_of_a_stopped_trial_tells_where_it_stopped(plan: Plan, store: LocalStore) -> None:
    store.put(f"{layout.checkpoints(key_of('finetune-r64-s7'))}/00000040/state", b"weights")
    spool = "".join(json.dumps(_step(step, step)) + "\n" for step in range(1, 66))
    store.put(layout.spool(plan.study, "r64-s7"), spool.encode())
    status = study_status(plan, store)
    assert "half-done r64-s7, stopped in finetune 45/80" in _shown(status)
    assert status.eta_s is None


def test_status_groups_equal_failures_and_prints_a_log(plan: Plan, store: LocalStore) -> None:
    for trial in plan.trials[:4]:
        fail_trial(store, plan, trial)
    fail_trial(store, plan, trial_of(plan, "resolution=16px", 7), "no space left on device")
    shown = _shown(study_status(plan, store), width=300)
    assert "failed r64-s7 and 3 more: lost: CUDA is gone" in shown
    assert "failed r16-s7: lost: no space left on device" in shown
    assert f"log: {store.root / layout.worker_log(plan.study, 'r64-s7', 0)}" in shown


def test_status_counts_trials_that_wait_for_a_stage_of_another(plan: Plan, store: LocalStore) -> None:
    _run(store, plan, "r64-s7", [])
    assert store.lease(key_of("align-s7"), Owner.here())
    status = study_status(plan, store)
    assert [trial.id for trial in status.trials if trial.waits_for == "align"] == ["r32-s7", "r16-s7"]
    assert "2 wait for a stage" in _shown(status)


def test_status_of_a_finished_study_has_nothing_left(plan: Plan, store: LocalStore) -> None:
    for trial in plan.trials:
        finish_trial(store, plan, trial, {"shape": answers(0.9), "colour": answers(0.5)})
    status = study_status(plan, store)
    assert status.steps_done == status.steps
    assert _shown(status).splitlines()[0] == "small: 6 done"
    assert json.loads(to_json(status))["counts"]["done"] == 6


def test_status_of_5000_trials_stays_readable(store: LocalStore) -> None:
    plan = two_stage_plan(resolutions=tuple(range(16, 2516)))
    for trial in plan.trials[:60]:
        fail_trial(store, plan, trial, f"failure number {trial.id}")
    for node in list(plan.nodes)[:9]:
        if plan.nodes[node].kind == "stage":
            finish_stage(store, plan.nodes[node])
    shown = _shown(study_status(plan, store))
    assert len(shown.splitlines()) < 100
    assert "and 40 more kinds of failure" in shown
