"""Claims about designs: which arms a study has, what they are called and what differs."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search_spaces.errors import InputError
from tests.support.small_studies import BASE, arm_names, plan_of


def test_one_at_a_time_varies_each_axis_alone_and_folds_the_base_value(tmp_path: Path) -> None:
    axes = "axes: {vision.resize: [letterbox, naive, crop], epochs: [1, 2]}\n"
    plan = plan_of(tmp_path, BASE + axes)
    assert arm_names(plan) == ["base", "vision.resize=naive", "vision.resize=crop", "epochs=2"]
    assert plan.arms[1].difference == {"vision.resize": "naive"}
    assert plan.arms[1].values == {"vision.resize": "naive", "epochs": "1"}


def test_value_that_a_default_would_give_is_the_base_value(tmp_path: Path) -> None:
    axes = "axes: {vision.tokens: [576, 144], vision.weights: [pretrained], vision.resolution: [336]}\n"
    assert arm_names(plan_of(tmp_path, BASE + axes)) == ["base", "vision.tokens=144"]


def test_grid_has_every_combination_named_in_file_order(tmp_path: Path) -> None:
    axes = "axes: {vision.resize: [letterbox, naive], epochs: [1, 2]}\ndesign: grid\n"
    assert arm_names(plan_of(tmp_path, BASE + axes)) == [
        "base",
        "epochs=2",
        "vision.resize=naive",
        "vision.resize=naive,epochs=2",
    ]


def test_grid_whose_axes_leave_the_base_out_has_no_base(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, BASE + "axes: {vision.resize: [crop, naive]}\ndesign: grid\n")
    assert arm_names(plan) == ["vision.resize=crop", "vision.resize=naive"]


def test_base_comes_first_wherever_a_grid_has_it(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, BASE + "axes: {vision.resize: [crop, letterbox]}\ndesign: grid\n")
    assert arm_names(plan) == ["base", "vision.resize=crop"]


def test_list_has_the_base_and_the_named_arms(tmp_path: Path) -> None:
    arms = "arms: {small: {vision: clip-vit-l, note: why}, long: {epochs: 2, vision.resize: crop}}\n"
    plan = plan_of(tmp_path, BASE + arms + "design: list\naxes: {vision.resize: [letterbox, crop], epochs: [1, 3]}\n")
    assert arm_names(plan) == ["base", "small", "long"]
    assert plan.arms[1].difference == {"vision.backbone": "clip-vit-l"}
    assert plan.arms[1].note == "why"
    assert plan.arms[2].values == {"vision.resize": "crop", "epochs": "2"}


def test_an_arm_without_changes_names_the_base(tmp_path: Path) -> None:
    arms = "arms: {long: {epochs: 2}, published+7b: {note: as in the paper}}\ndesign: list\nbenchmarks: [gqa]\n"
    claim = "hypotheses: [{id: h, claim: c, pairs: [[published+7b, long]], expect: better}]\n"
    plan = plan_of(tmp_path, BASE + arms + claim)
    assert arm_names(plan) == ["published+7b", "long"]
    assert (plan.base, plan.arms[0].note, plan.arms[0].difference) == ("published+7b", "as in the paper", {})


def test_the_base_has_one_name(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the base must have one name, but 'one' and 'two' both change nothing"):
        plan_of(tmp_path, BASE + "arms: {one: {}, two: {note: again}}\ndesign: list\n")


def test_zipped_axes_vary_together(tmp_path: Path) -> None:
    axes = "axes: {vision.resize: [letterbox, naive, crop], data: [llava-v15, llava-multimodal], epochs: [1, 2, 3]}\n"
    plan = plan_of(tmp_path, BASE + axes + "zip: [[vision.resize, epochs]]\n")
    assert arm_names(plan) == [
        "base",
        "vision.resize=naive,epochs=2",
        "vision.resize=crop,epochs=3",
        "data=llava-multimodal",
    ]


@settings(max_examples=25, deadline=None)
@given(
    resizes=st.lists(st.sampled_from(["letterbox", "naive", "crop"]), min_size=1, unique=True),
    epochs=st.lists(st.sampled_from([1, 1.25, 2, 3]), min_size=1, unique=True),
    seeds=st.lists(st.integers(0, 9), min_size=1, max_size=3, unique=True),
)
def test_grid_has_all_combinations_once(
    tmp_path_factory: pytest.TempPathFactory, resizes: list[str], epochs: list[float], seeds: list[int]
) -> None:
    axes = f"axes: {{vision.resize: [{', '.join(resizes)}], epochs: {epochs}}}\ndesign: grid\nseeds: {seeds}\n"
    plan = plan_of(tmp_path_factory.mktemp("grid"), BASE + axes)
    combinations = {(t.spec.vision.resize, t.spec.stages[0].epochs, t.seed) for t in plan.trials}
    assert len(plan.trials) == len(combinations) == len(resizes) * len(epochs) * len(seeds)
    assert len({trial.id for trial in plan.trials}) == len(plan.trials)


def test_a_named_arm_is_a_point_of_the_axes_only_if_they_say_all_of_it(tmp_path: Path) -> None:
    text = """\
axes: {vision.resize: [letterbox, naive], size: {large: {}, tall: {max_steps: 9}}}
arms:
  both: {vision.resize: naive, max_steps: 9}
  more: {vision.resize: naive, vision.tokens: 144}
  third: {vision.resize: crop}
  named: {max_steps: 7}
"""
    arms = {arm.name: arm for arm in plan_of(tmp_path, BASE + text).arms}
    assert {name: arm.by_axes for name, arm in arms.items()} == {
        "base": True, "vision.resize=naive": True, "size=tall": True,
        "both": True, "more": False, "third": False, "named": False,
    }  # fmt: skip
    assert arms["third"].values["vision.resize"] == "crop"
    assert arms["named"].values["size"] == "named"
