"""Claims about arms that a study excludes."""

from __future__ import annotations

from pathlib import Path

from tests.support.small_studies import BASE, arm_names, plan_of, problems_of


def test_excluded_arms_are_listed_with_their_reason_and_never_resolved(tmp_path: Path) -> None:
    axes = "axes: {vision.backbone: [clip-vit-l-336px, clip-vit-l], vision.tokens: [576, 256]}\ndesign: grid\n"
    exclude = "exclude: [{where: {vision.backbone: clip-vit-l, vision.tokens: 576}, reason: only 256 patches}]\n"
    plan = plan_of(tmp_path, BASE + axes + exclude)
    assert [(exclusion.arm, exclusion.reason) for exclusion in plan.excluded] == [
        ("vision.backbone=clip-vit-l", "only 256 patches")
    ]
    assert arm_names(plan) == ["base", "vision.tokens=256", "vision.backbone=clip-vit-l,vision.tokens=256"]


def test_exclusion_that_fits_no_arm_is_noted(tmp_path: Path) -> None:
    text = (
        "axes: {vision.resize: [crop], epochs: [2]}\nexclude: [{where: {vision.resize: crop, epochs: 2}, reason: x}]\n"
    )
    assert "exclude[0] fits no arm" in plan_of(tmp_path, BASE + text).notes


def test_study_whose_arms_are_all_excluded_is_refused(tmp_path: Path) -> None:
    text = BASE + "axes: {epochs: [1]}\nexclude: [{where: {epochs: 1}, reason: x}]\n"
    (problem,) = problems_of(tmp_path, text)
    assert "at least one arm" in problem.law
