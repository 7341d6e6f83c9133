"""Claims about studies that extend others: what is laid on what, and at which line a conflict is reported."""

from __future__ import annotations

from pathlib import Path

import pytest

from search_spaces.errors import InputError, InputProblemsError
from search_spaces.expansion.expand import plan_study
from search_spaces.plan import Plan
from search_spaces.study_files import load_study

PARENT = """\
study: parent
base:
  vision: {backbone: efficientnet-lite0, resolution: 64, resize: naive}
  projector: gelu-mlp
  language: llama-2x96
  stages: [finetune]
  epochs: 1
  data: easy-vqa-1500
recipe: {extends: quickstart, finetune: {schedule: {warmup_steps: 5}}}
axes:
  vision.tokens: [4, 1]
  data: {all: easy-vqa-1500, no-neg: easy-vqa-1500-no-negation}
arms:
  long: {epochs: 3}
  crop: {vision.resize: crop}
seeds: {default: [7, 8], base: [7, 8, 9]}
benchmarks: easy-vqa
resources: {workers: 1, micro_batch: 32}
hypotheses: [{id: a, claim: c, pairs: [[base, data=no-neg]], on: easy-vqa, expect: worse}]
"""


def _child(folder: Path, text: str) -> str:
    (folder / "parent.yaml").write_text(PARENT)
    path = folder / "child.yaml"
    path.write_text(f"extends: parent.yaml\nstudy: child\n{text}")
    return str(path)


def _plan(folder: Path, text: str, *overrides: str) -> Plan:
    return plan_study(load_study(_child(folder, text), overrides))


def _problem(folder: Path, text: str, *overrides: str) -> InputError:
    with pytest.raises(InputError) as caught:
        _plan(folder, text, *overrides)
    assert not isinstance(caught.value, InputProblemsError)
    return caught.value


def _seeds(plan: Plan) -> dict[str, tuple[int, ...]]:
    return plan.seeds_by_arm()


def test_a_list_of_seeds_replaces_the_map_of_the_parent(tmp_path: Path) -> None:
    assert set(_seeds(_plan(tmp_path, "seeds: [1, 2]\n")).values()) == {(1, 2)}
    assert set(_seeds(_plan(tmp_path, "", "seeds=[3]")).values()) == {(3,)}


def test_a_map_of_seeds_merges_into_the_list_of_the_parent(tmp_path: Path) -> None:
    seeds = _seeds(_plan(tmp_path, "seeds: {long: [1]}\n"))
    assert (seeds["base"], seeds["long"], seeds["crop"]) == ((7, 8, 9), (1,), (7, 8))


@pytest.mark.parametrize(
    ("text", "key", "value"),
    [
        ("base: {vision: efficientnet-lite0}\n", "vision", {"backbone": "efficientnet-lite0"}),
        ("recipe: quickstart\n", "recipe", {"extends": "quickstart"}),
        ("resources: prismatic-7b-1x80gb\n", "resources", {"preset": "prismatic-7b-1x80gb"}),
        ("benchmarks: easy-vqa-shape\n", "benchmarks", [{"id": "easy-vqa-shape"}]),
        ("base: {vision: {resize: crop}}\n", "vision",
         {"backbone": "efficientnet-lite0", "resolution": 64, "resize": "crop"}),
    ],
)  # fmt: skip
def test_a_text_or_list_replaces_a_map_and_a_map_merges(tmp_path: Path, text: str, key: str, value: object) -> None:
    tree = load_study(_child(tmp_path, text)).document.value
    assert tree["base"].get(key, tree.get(key)) == value


def test_a_map_is_laid_on_what_a_text_stands_for_in_arms_too(tmp_path: Path) -> None:
    (tmp_path / "middle.yaml").write_text("extends: parent.yaml\nstudy: m\narms: {b: {projector: fused-gelu-mlp}}\n")
    _child(tmp_path, "")
    path = tmp_path / "top.yaml"
    path.write_text("extends: middle.yaml\nstudy: top\narms: {b: {projector: {depth: 4}}}\n")
    arm = next(arm for arm in plan_study(load_study(str(path))).arms if arm.name == "b")
    assert arm.difference == {"projector.kind": "fused-gelu-mlp", "projector.depth": 4}


@pytest.mark.parametrize(
    ("text", "arm", "difference"),
    [
        ("arms: {long: {max_steps: 10}}\n", "long", {"max_steps": 10, "epochs": None}),
        ("arms: {crop: {vision: {resize: letterbox}}}\n", "crop", {"vision.resize": "letterbox"}),
        ("base: {max_steps: 10}\n", "long", {"epochs": 3, "max_steps": None}),
        ("recipe: {finetune: {schedule: {warmup_ratio: 0.1}}}\n", "long", {"epochs": 3}),
    ],
)
def test_a_field_takes_the_place_of_its_rival_below(
    tmp_path: Path, text: str, arm: str, difference: dict[str, object]
) -> None:
    assert {arm.name: arm.difference for arm in _plan(tmp_path, text).arms}[arm] == difference


def test_an_override_takes_the_place_of_a_rival_and_reaches_into_lists_of_the_parent(tmp_path: Path) -> None:
    tree = load_study(_child(tmp_path, ""), ["base.max_steps=5", "benchmarks.0.sample=9"]).document.value
    assert tree["base"]["max_steps"] == 5
    assert "epochs" not in tree["base"]
    assert tree["benchmarks"] == [{"id": "easy-vqa", "sample": 9}]


@pytest.mark.parametrize(
    ("text", "key", "law"),
    [
        ("base: {vision: {resize: crop}}\n", "arms.crop", "must not have one specification"),
        ("axes: {data: null}\n", "hypotheses[0].pairs[0][1]", "must name an arm"),
        ("axes: {data: {no-neg: null, other: easy-vqa-1500-no-negation}}\n", "hypotheses[0].pairs[0][1]", "must name"),
        ("benchmarks: [easy-vqa-shape]\n", "hypotheses[0].on[0]", "must be all"),
        ("base: {vision: {resolution: 32}}\n", "axes.vision.tokens[0]", "must be a square number"),
        ("base: {epochs: 1, max_steps: 10}\n", "base", "must not both be given"),
        ("axes: {tok: {a: {vision.tokens: 4}}}\n", "axes.tok", "two axes must not set one field"),
    ],
)
def test_a_conflict_is_reported_at_the_line_of_the_child(tmp_path: Path, text: str, key: str, law: str) -> None:
    problem = _problem(tmp_path, f"question: Why?\n{text}")
    assert (problem.place, problem.key) == (f"{tmp_path / 'child.yaml'}:4", key)
    assert law in problem.law


def test_a_conflict_of_an_override_is_reported_at_the_override(tmp_path: Path) -> None:
    problem = _problem(tmp_path, "", "base.vision.resize=crop")
    assert problem.place == "--set base.vision.resize=crop"
    assert problem.law.endswith(f"(there: {tmp_path / 'parent.yaml'}:15)")


def test_what_is_wrong_with_the_parent_alone_stays_there(tmp_path: Path) -> None:
    child = _child(tmp_path, "base: {vision: {resize: crop}}\n")
    (tmp_path / "parent.yaml").write_text(PARENT.replace("epochs: 1", "epochs: 0"))
    with pytest.raises(InputError) as caught:
        load_study(child)
    assert caught.value.place == f"{tmp_path / 'parent.yaml'}:7"


def test_many_changes_are_tried_by_the_key_that_they_stand_below(tmp_path: Path) -> None:
    layers = load_study(_child(tmp_path, "arms: {a: {epochs: 4}, b: {epochs: 5}}\nseeds: [1]\n")).layers
    assert layers is not None
    assert [place.rpartition(":")[2] for place, _ in layers.ways_without(10)] == ["3", "3", "4"]
    grouped = layers.ways_without(2)
    assert [place.rpartition(":")[2] for place, _ in grouped] == ["3", "4"]
    assert set(grouped[0][1].document().value["arms"]) == {"long", "crop"}
