"""Claims about the studies of Prismatic VLMs: every published model is an arm, with the published steps and shapes."""

from __future__ import annotations

import csv
from importlib import resources
from pathlib import Path

import pytest

from search_spaces.expansion.expand import plan_study
from search_spaces.plan import Arm, Plan
from search_spaces.study_files import load_study
from search_spaces.yaml_source import read

FOLDER = Path(str(resources.files("search_spaces"))) / "prismatic"
BASELINES = {"LLaVa v1.5 7B", "LLaVa v1.5 13B", "InstructBLIP 7B", "InstructBLIP 13B"}
EXTENSIONS = {
    "llama2-chat+7b",
    "llama2-chat+13b",
    "phi-2+3b",
    "prism-dinosiglip-224px-controlled+7b",
    "prism-dinosiglip-224px+7b",
}
STEPS = {
    "one-stage+7b": [5198],
    "reproduction-llava-v15+7b": [2181, 5198],
    "full-ft-multi-stage+7b": [2181, 5198],
    "vicuna-no-cotraining+7b": [4880],
    "train-1.25-epochs+7b": [6500],
    "train-1.5-epochs+7b": [7800],
    "train-2-epochs+7b": [10396],
    "train-3-epochs+7b": [15594],
    "llava-lrv+7b": [7876],
    "llava-lvis4v-lrv+7b": [9616],
    "prism-dinosiglip+13b": [19232],
}
SHAPES = {
    "one-stage+7b": (576, 1024),
    "in1k-224px+7b": (196, 1024),
    "dinov2-224px+7b": (256, 1024),
    "siglip-384px-letterbox+7b": (729, 1152),
    "dinoclip-336px-letterbox+7b": (576, 2048),
    "dinosiglip-384px-resize-naive+7b": (729, 2176),
    "prism-dinosiglip-224px+7b": (256, 2176),
}


@pytest.fixture(scope="module")
def plan() -> Plan:
    return plan_study(load_study("prismatic/design_space"))


def _arm(plan: Plan, name: str) -> Arm:
    return next(arm for arm in plan.arms if arm.name == name)


def test_every_published_row_is_an_arm_under_its_id(plan: Plan) -> None:
    with (FOLDER / "published.csv").open() as file:
        published = {row["model_id"] for row in csv.DictReader(file)} - BASELINES
    names = {arm.name for arm in plan.arms}
    assert names == published | EXTENSIONS
    assert len(published) == 44
    assert sum(name.endswith("+13b") for name in published) == 9


def test_every_arm_is_a_difference_from_the_published_base_which_is_trained_once(plan: Plan) -> None:
    assert (plan.base, plan.arms[0].name) == ("one-stage+7b", "one-stage+7b")
    assert all(arm.difference for arm in plan.arms[1:])
    align = [node for node in plan.nodes.values() if node.name == "align" and len(node.trials) == 2]
    assert len(align) == 1, "the align stage of two arms is one"


@pytest.mark.parametrize("name", STEPS)
def test_steps_are_the_published_ones(plan: Plan, name: str) -> None:
    (trial,) = (trial for trial in plan.trials if trial.arm == name)
    assert [node.steps for node in trial.stage_nodes(plan)] == STEPS[name]


@pytest.mark.parametrize("name", SHAPES)
def test_images_become_the_published_tokens(plan: Plan, name: str) -> None:
    (spec,) = (trial.spec.vision for trial in plan.trials if trial.arm == name)
    assert (spec.tokens, spec.width) == SHAPES[name]


def test_claims_are_the_hypotheses_of_the_study() -> None:
    claims = read(FOLDER / "claims.yaml").value["hypotheses"]
    study = load_study("prismatic/design_space")
    assert [hypothesis.id for hypothesis in study.hypotheses] == [claim["id"] for claim in claims]


def test_what_the_code_did_otherwise_is_a_study_of_its_own(plan: Plan) -> None:
    coded = plan_study(load_study("prismatic/as_coded"))
    ids = {arm.name: arm.id for arm in plan.arms}
    changed = {arm.name for arm in coded.arms if arm.id != ids[arm.name]}
    two_encoders = {arm.name for arm in plan.arms if "two layers" in (arm.note or "")}
    two_stages = {"reproduction-llava-v15+7b", "reproduction-llava-v15+13b", "full-ft-multi-stage+7b"}
    assert changed == two_encoders | two_stages | {"llama2-chat+7b", "llama2-chat+13b"}
    assert "prism-siglip+13b" not in {arm.name for arm in coded.arms}


def test_single_seed_claims_have_replicates_in_a_study_that_trains_nothing_of_the_paper_again(plan: Plan) -> None:
    seeds = plan_study(load_study("prismatic_seeds"))
    assert {trial.seed for trial in seeds.trials if trial.arm == "one-stage+7b"} == {7, 8, 9, 10, 11}
    shared = {trial.id for trial in plan.trials} & {trial.id for trial in seeds.trials}
    assert len(shared) == 14, "with seed 7 these are the paper's own"


@pytest.mark.parametrize("name", ["prismatic/design_space", "prismatic/as_coded", "prismatic_seeds"])
def test_every_arm_says_all_that_differs_in_a_few_lines(name: str) -> None:
    for arm, entry in read(FOLDER.parent / f"{name}.yaml").value["arms"].items():
        assert len(entry or {}) <= 6, arm
