"""Claims about orchestrator/reporting/training.py: how arms were trained, and their losses."""

from __future__ import annotations

import re
from dataclasses import replace

from orchestrator.reporting.build import build_report
from orchestrator.reporting.html import to_html
from orchestrator.reporting.training import MOST_CURVES, POINTS, loss_curves, stage_settings, thinned
from search_spaces.expansion.expand import expand_study, plan_expansion
from search_spaces.study_files import load_study
from tests.support.html_page import Page
from tests.support.report_cases import CLAIMS, finished
from tests.support.stored_studies import study_of, two_stage_plan
from trainables.storage import layout
from trainables.storage.record_files import write
from trainables.storage.records import Curve
from trainables.storage.store import LocalStore


def test_equal_settings_stand_once_with_all_their_arms() -> None:
    plan = plan_expansion(expand_study(load_study("quickstart")))
    settings = stage_settings(plan)
    finetune = next(one for one in settings if "base" in one.arms)
    assert (finetune.stage, finetune.trains, finetune.length) == (
        "finetune",
        "projector, language",
        "226 steps (1 epoch)",
    )
    assert (finetune.global_batch, finetune.precision, finetune.data) == (64, "fp32", "easy-vqa-1500")
    assert finetune.schedule == "cosine, warm-up of 20 steps"
    assert finetune.optimizer.startswith("AdamW")
    assert {"resolution=32px", "vision.tokens=1"} <= set(finetune.arms)
    assert [one.length for one in settings if one.arms == ("epochs=2",)] == ["452 steps (2 epochs)"]
    assert next(one for one in settings if one.stage == "align").trains == "projector"


def test_a_study_of_the_paper_names_its_learning_rates() -> None:
    plan = plan_expansion(expand_study(load_study("prismatic/design_space")))
    rates = {one.stage: one.learning_rate for one in stage_settings(plan)}
    assert (rates["align"], rates["finetune"]) == ("0.001", "2e-05")


def test_losses_are_those_of_the_stages_on_storage(store: LocalStore) -> None:
    finished(store)
    plan = two_stage_plan(seeds=(7, 8, 9))
    assert loss_curves(plan, store) == ()
    stage = next(node for node in plan.nodes.values() if node.kind == "stage")
    assert stage.key is not None
    write(store, layout.stage_curve(stage.key), Curve(tuple((step, 4.0 - step, 0.1) for step in range(3))))
    curves = loss_curves(plan, store)
    assert {curve.arm for curve in curves} == {trial.arm for trial in plan.trials if stage.id in trial.path}
    assert curves[0].points == ((0.0, 4.0), (1.0, 3.0), (2.0, 2.0))
    page = to_html(build_report(study_of(*CLAIMS), plan, store))
    assert "How the arms were trained" in Page(page).text
    assert page.count("<polyline") >= len(curves)


def test_a_stage_that_diverged_is_drawn_as_far_as_its_loss_is_a_number(store: LocalStore) -> None:
    finished(store)
    plan = two_stage_plan(seeds=(7, 8, 9))
    stages = [node for node in plan.nodes.values() if node.kind == "stage"]
    losses = ((float("nan"),), (4.0, 3.0, float("inf")), (4.0, float("nan"), 2.0))
    for stage, of_stage in zip(stages, losses, strict=False):
        assert stage.key is not None
        curve = Curve(tuple((step, loss, 0.1) for step, loss in enumerate(of_stage)))
        write(store, layout.stage_curve(stage.key), curve)
    curves = loss_curves(plan, store)
    assert {curve.points for curve in curves if curve.is_diverged} == {(), ((0.0, 4.0), (1.0, 3.0))}
    assert {curve.points for curve in curves if not curve.is_diverged} == {((0.0, 4.0), (2.0, 2.0))}
    page = to_html(build_report(study_of(*CLAIMS), plan, store))
    assert "nan" not in "".join(re.findall(r'points="[^"]*"', page))
    assert "Diverged: " in Page(page).text


def test_of_a_large_study_every_arm_has_curves_before_any_has_all(store: LocalStore) -> None:
    finished(store)
    plan = two_stage_plan(seeds=tuple(range(7, 7 + MOST_CURVES)))
    for node in plan.nodes.values():
        if node.kind == "stage" and node.key is not None:
            write(store, layout.stage_curve(node.key), Curve(((0, 4.0, 0.1),)))
    curves = loss_curves(plan, store)
    assert 0 < len(curves) <= MOST_CURVES
    assert {curve.arm for curve in curves} == {trial.arm for trial in plan.trials}


def test_a_long_curve_is_thinned_to_means_of_equal_runs() -> None:
    points = thinned([(float(step), float(step % 2)) for step in range(10 * POINTS)])
    assert len(points) == POINTS
    assert points[0] == (4.5, 0.5)
    assert thinned([]) == ()


def test_a_plan_without_keys_has_no_curves(store: LocalStore) -> None:
    plan = two_stage_plan()
    nodes = {name: replace(node, key=None) for name, node in plan.nodes.items()}
    assert loss_curves(replace(plan, nodes=nodes), store) == ()
