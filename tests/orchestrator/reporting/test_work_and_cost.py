"""Work and cost of a report: what sharing saved, and which arms nothing beats."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrator.planning.estimates import Assumptions, estimates
from orchestrator.reporting.build import build_report
from orchestrator.reporting.sentences import cost_line, costs_note, planned_line
from orchestrator.reporting.work_and_cost import sharing, stage_tree
from orchestrator.state.ledger import read_ledger
from orchestrator.state.used_devices import device_used
from search_spaces.expansion.expand import plan_study
from search_spaces.plan import Plan
from search_spaces.resource_spec import ResourceSpec
from search_spaces.study_files import load_study
from tests.support.report_cases import finished, scores
from tests.support.stored_studies import fail_trial, finish_stage, finish_trial, key_of, study_of, two_stage_plan
from trainables.storage.store import LocalStore


def test_work_shows_what_sharing_saved_by_stage(store: LocalStore) -> None:
    work = finished(store).work
    align = next(one for one in work if one.name == "align")
    assert (align.depth, align.n, align.done, len(align.arms), align.steps) == (0, 3, 3, 3, 20)
    assert (align.gpu_seconds, align.gpu_seconds_saved) == (30.0, 60.0)
    assert [one.depth for one in work if one.kind == "evaluation"] == [2, 2, 2]


def test_pareto_front_leaves_out_what_another_arm_beats(store: LocalStore) -> None:
    """All trials cost the same here, so only the best arm is left."""
    report = finished(store)
    best = max((row for row in report.rows if row.mean.estimate), key=lambda row: row.mean.estimate.value)  # type: ignore[union-attr]
    assert [cost.arm for cost in report.costs if cost.is_pareto] == [best.arm]


@pytest.mark.parametrize(
    ("device", "gpu"), [("NVIDIA A100-SXM4-80GB", "a100"), ("NVIDIA H200", "h200"), ("a GPU of next year", "h100")]
)
def test_stages_stand_beside_what_the_plan_estimates_for_the_gpus_that_trained_them(
    device: str, gpu: str, store: LocalStore
) -> None:
    overrides = ["seeds=[7]", "axes={}", "arms={}", "hypotheses=[]", "exclude=[]"]
    plan = plan_study(load_study("prismatic/design_space", overrides))
    (stage,) = (node for node in plan.nodes.values() if node.kind == "stage")
    keyed = replace(plan, nodes={**plan.nodes, stage.id: replace(stage, key=key_of(stage.id))})
    assert {one.planned_gpu_seconds for one in stage_tree(keyed, read_ledger(keyed, store), store)} == {None}
    for trained_on in ("cpu", device):
        finish_stage(store, keyed.nodes[stage.id], {"device": trained_on})
        ledger = replace(read_ledger(keyed, store), done_nodes={stage.id})
        work = stage_tree(keyed, ledger, store)
        (done,) = (one for one in work if one.kind == "stage")
        assert (done.planned_gpu_seconds is None) == (trained_on == "cpu")
    estimate = estimates(plan, Assumptions(gpu))[stage.id]
    assert estimate is not None
    assert estimate.gpu_hours is not None
    assert done.planned_gpu_seconds == pytest.approx(estimate.gpu_hours * 3600)
    report = replace(finished(store), work=work)
    ratio = done.gpu_seconds / (estimate.gpu_hours * 3600)
    said = f"{ratio:.2f} times the {estimate.gpu_hours:,.3g} GPU-hours that the plan estimates for {gpu}."
    assert said in str(planned_line(report))


def test_stages_on_cpus_have_no_estimate_to_stand_beside(store: LocalStore) -> None:
    report = finished(store)
    assert {work.planned_gpu_seconds for work in report.work} == {None}
    assert planned_line(report) is None


def _asking_for(plan: Plan, resources: ResourceSpec) -> Plan:
    return replace(plan, arms=tuple(replace(arm, resources=resources) for arm in plan.arms))


def test_work_to_come_is_counted_in_what_is_asked_for() -> None:
    plan = two_stage_plan()
    devices = [
        _asking_for(plan, resources).device
        for resources in (ResourceSpec(), ResourceSpec(cpus_per_worker=4), ResourceSpec(gpus_per_worker=1))
    ]
    assert devices == ["core", "worker", "GPU"]


def test_costs_are_counted_in_what_was_used_whatever_the_study_asks_for_now(store: LocalStore) -> None:
    plan = _asking_for(two_stage_plan(seeds=(7,)), ResourceSpec(gpus_per_worker=1))
    assert device_used(plan, store) == "GPU"
    first, second, _ = plan.trials
    finish_trial(store, plan, first, scores(first.arm, 7, plan))
    shared = sharing(plan, read_ledger(plan, store), store)
    assert (device_used(plan, store), shared.by_device.keys()) == ("core", {"core"})
    assert shared.by_device["core"] >= 10.0 * len(first.stage_nodes(plan))
    plan = _asking_for(plan, ResourceSpec())
    finish_trial(store, plan, second, scores(second.arm, 7, plan), provenance={"device": "NVIDIA H100 80GB HBM3"})
    for node in first.stage_nodes(plan):
        finish_stage(store, node, {"device": "cpu"})  # a stage that both share was trained once, on a CPU
    report = build_report(study_of(), plan, store)
    assert report.device == "device"
    assert report.sharing.by_device.keys() == {"core", "GPU"}
    assert sum(report.sharing.by_device.values()) == sum(work.gpu_seconds for work in report.work)
    assert " core-seconds and " in cost_line(report)


def test_the_cost_of_a_study_has_the_stages_of_trials_that_are_not_done(store: LocalStore) -> None:
    plan = two_stage_plan(seeds=(7,))
    done, *_, open_trial = plan.trials
    finish_trial(store, plan, done, scores(done.arm, 7, plan))
    before = build_report(study_of(), plan, store).sharing
    for node in open_trial.stage_nodes(plan):
        finish_stage(store, node)
    fail_trial(store, plan, open_trial)
    report = build_report(study_of(), plan, store)
    new = {node.id for node in open_trial.stage_nodes(plan)} - set(done.path)
    assert sum(report.sharing.by_device.values()) == sum(before.by_device.values()) + 10.0 * len(new)
    assert (report.sharing.gpu_seconds, report.sharing.gpu_seconds_alone) == (
        before.gpu_seconds,
        before.gpu_seconds_alone,
    ), "what sharing has saved is told by trials that are done"
    assert "What 1 failed attempt lost is not counted." in costs_note(report)


def test_work_that_is_shared_counts_once_in_the_cost(store: LocalStore) -> None:
    report = finished(store)
    scoring = sum(work.gpu_seconds for work in report.work if work.kind == "evaluation")
    n_stages = report.sharing.stages
    assert sum(report.sharing.by_device.values()) == pytest.approx(10.0 * n_stages + scoring)
    assert n_stages < report.sharing.stages_by_trial
