"""Status of a study: its counts, where every trial is, and what is left."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from orchestrator.state.ledger import read_ledger
from orchestrator.state.status import TrialStatus, study_status, to_json
from search_spaces.identity import needed_digests, source_name
from search_spaces.plan import Node, Plan
from tests.support.stored_studies import (
    answers,
    finish_features,
    finish_stage,
    finish_trial,
    hold_running,
    key_of,
    spool_step,
    trial_of,
    two_stage_plan,
)
from trainables.storage import layout
from trainables.storage.owner import Owner
from trainables.storage.store import Facts, LocalStore


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


def test_status_of_a_trial_whose_spool_is_set_aside_as_it_is_read_has_no_loss(
    plan: Plan, store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold_running(store, plan, "r64-s7", [spool_step(30, 0, 0.9), spool_step(50, 10, 0.25)])
    facts = LocalStore.facts

    def facts_before_it_goes(self: LocalStore, name: str) -> Facts:
        told = facts(self, name)
        self.remove(name)
        return told

    monkeypatch.setattr(LocalStore, "facts", facts_before_it_goes)
    assert _status(plan, store, "r64-s7").loss is None


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
    store.put(f"{layout.step_checkpoint(key_of('finetune-r64-s7'), 40)}/state", b"weights")
    spool = "".join(json.dumps(spool_step(step, step)) + "\n" for step in range(1, 66))
    store.put(layout.spool(plan.study, "r64-s7"), spool.encode())
    trial = _status(plan, store, "r64-s7")
    assert (trial.state, trial.stage, trial.step, trial.steps) == ("half-done", "finetune", 45, 80)
    assert study_status(plan, store).eta_s is None


def test_status_of_a_killed_run_counts_what_its_checkpoints_keep(plan: Plan, store: LocalStore) -> None:
    finish_stage(store, plan.nodes["align-s7"])
    store.put(f"{layout.step_checkpoint(key_of('finetune-r64-s7'), 40)}/state", b"weights")
    trial = _status(plan, store, "r64-s7")
    assert (trial.steps_kept, trial.steps_needed, trial.scored, trial.to_score) == (60, 100, 0, 2)
    status = study_status(plan, store)
    assert (status.steps_done, status.counts["half-done"]) == (60, 3)


def test_status_of_a_trial_that_was_killed_before_its_first_checkpoint_counts_its_features(
    plan: Plan, store: LocalStore
) -> None:
    node = Node("features-a", "features", key_of("features"), "features", None, None, ("r64-s7",))
    trial = replace(plan.trials[0], path=("features-a", *plan.trials[0].path))
    cached = replace(plan, nodes={"features-a": node, **plan.nodes}, trials=(trial, *plan.trials[1:]))
    finish_features(store, key_of("features"))
    status = _status(cached, store, "r64-s7")
    assert (status.state, status.features_kept, status.features, status.steps_kept) == ("half-done", 1, 1, 0)
    finish_trial(store, cached, trial, {"shape": answers(0.9), "colour": answers(0.5)})
    status = _status(cached, store, "r64-s7")
    assert (status.state, status.features_kept, status.features) == ("done", 0, 0)  # with them or, later, without


def test_status_of_a_trial_that_is_trained_counts_scores_before_it_has_a_result(plan: Plan, store: LocalStore) -> None:
    trial = trial_of(plan, "base", 7)
    names = {source_name(benchmark.source) for benchmark in plan.benchmarks}
    names |= set(needed_digests(trial.spec, len(trial.spec.stages) - 1))
    known = replace(plan, digests={name: key_of(name) for name in names})
    finish_trial(store, known, trial, {"shape": answers(0.9)})
    store.remove(layout.trial_result(plan.study, trial.id))  # killed before it was written
    status = study_status(known, store)
    assert (status.trials[0].state, status.trials[0].scored, status.trials[0].steps_kept) == ("half-done", 1, 100)
    assert (status.scored, status.to_score) == (1, 12)
    assert read_ledger(known, store).evaluations == {}


def test_status_says_which_process_has_a_trial_and_who_runs_the_study(plan: Plan, store: LocalStore) -> None:
    hold_running(store, plan, "r64-s7", [])
    here = Owner.here()
    assert _status(plan, store, "r64-s7").place == f"{here.host} (pid {here.pid})"
    assert study_status(plan, store).runs == ()
    assert store.lease(layout.run_lease(plan.study, "abc"), here)
    (run,) = study_status(plan, store).runs
    assert f"{here.host} (pid {here.pid})" in run


def test_status_after_a_driver_was_killed_finds_no_trial_running(plan: Plan, store: LocalStore) -> None:
    dead = replace(Owner.here(), started=1.0)
    for lease in (layout.trial_lease(plan.study, "r64-s7"), layout.run_lease(plan.study, "abc"), key_of("align-s7")):
        assert store.lease(lease, dead)
    status = study_status(plan, store)
    assert (status.counts["running"], status.runs) == (0, ())
    assert [trial.waits_for for trial in status.trials] == [None] * 6


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
