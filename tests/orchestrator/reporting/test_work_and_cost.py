"""Work and cost of a report: what sharing saved, and which arms nothing beats."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrator.planning.estimates import Assumptions, estimates
from orchestrator.reporting.sentences import planned_line
from orchestrator.reporting.work_and_cost import stage_tree
from orchestrator.state.ledger import read_ledger
from search_spaces.expansion.expand import plan_study
from search_spaces.resource_spec import ResourceSpec
from search_spaces.study_files import load_study
from tests.support.report_cases import finished
from tests.support.stored_studies import finish_stage, key_of, two_stage_plan
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


def test_stages_on_gpus_stand_beside_what_the_plan_estimates(store: LocalStore) -> None:
    overrides = ["seeds=[7]", "axes={}", "arms={}", "hypotheses=[]", "exclude=[]"]
    plan = plan_study(load_study("prismatic/design_space", overrides))
    (stage,) = (node for node in plan.nodes.values() if node.kind == "stage")
    keyed = replace(plan, nodes={**plan.nodes, stage.id: replace(stage, key=key_of(stage.id))})
    assert {one.planned_gpu_seconds for one in stage_tree(keyed, read_ledger(keyed, store), store)} == {None}
    finish_stage(store, keyed.nodes[stage.id])
    ledger = replace(read_ledger(keyed, store), done_nodes={stage.id})
    work = stage_tree(keyed, ledger, store)
    estimate = estimates(plan, Assumptions())[stage.id]
    assert estimate is not None
    assert estimate.gpu_hours is not None
    (done,) = (one for one in work if one.kind == "stage")
    assert done.planned_gpu_seconds == pytest.approx(estimate.gpu_hours * 3600)
    report = replace(finished(store), work=work)
    ratio = done.gpu_seconds / (estimate.gpu_hours * 3600)
    said = f"{ratio:.2f} times the {estimate.gpu_hours:,.3g} GPU-hours that the plan estimates"
    assert said in str(planned_line(report))


def test_stages_on_cpus_have_no_estimate_to_stand_beside(store: LocalStore) -> None:
    report = finished(store)
    assert {work.planned_gpu_seconds for work in report.work} == {None}
    assert planned_line(report) is None


def test_costs_are_counted_in_what_was_used(store: LocalStore) -> None:
    plan = two_stage_plan()
    devices = [
        replace(plan, arms=tuple(replace(arm, resources=resources) for arm in plan.arms)).device
        for resources in (ResourceSpec(), ResourceSpec(cpus_per_worker=4), ResourceSpec(gpus_per_worker=1))
    ]
    assert devices == ["core", "worker", "GPU"]
