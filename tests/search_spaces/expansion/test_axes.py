"""Claims about axes: labels, values, and what is refused."""

from __future__ import annotations

from pathlib import Path

from tests.support.small_studies import BASE, arm_names, plan_of


def test_named_value_may_patch_several_fields(tmp_path: Path) -> None:
    axes = "axes:\n  small:\n    224px: {vision: {backbone: clip-vit-l, resize: naive}}\n    336px: {}\n"
    plan = plan_of(tmp_path, BASE + axes)
    assert arm_names(plan) == ["base", "small=224px"]
    assert plan.arms[0].values == {"small": "336px"}
    assert plan.arms[1].difference == {"vision.backbone": "clip-vit-l", "vision.resize": "naive"}


def test_labelled_scalars_and_lists_of_a_path_are_values(tmp_path: Path) -> None:
    axes = "axes:\n  stages: {one: [finetune], two: [align, finetune]}\n  epochs: {short: 1, long: 3}\n"
    assert arm_names(plan_of(tmp_path, BASE + axes)) == ["base", "stages=two", "epochs=long"]


def test_labels_are_what_the_author_wrote(tmp_path: Path) -> None:
    axes = "axes: {recipe.finetune.optimizer.lr: [2e-5, 1e-5], stages: [[finetune], [align, finetune]]}\n"
    assert arm_names(plan_of(tmp_path, BASE + axes)) == [
        "base",
        "recipe.finetune.optimizer.lr=1e-5",
        "stages=align+finetune",
    ]
