"""Claims about stages: their recipe, horizon and data."""

from __future__ import annotations

from pathlib import Path

import pytest

from search_spaces.errors import InputError
from search_spaces.spec import PackingSpec
from tests.support.small_studies import BASE, plan_of, stage_nodes


def test_max_steps_take_the_place_of_epochs(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, BASE + "axes: {max_steps: [6500]}\n")
    assert plan.arms[1].difference == {"max_steps": 6500, "epochs": None}
    assert [node.steps for node in stage_nodes(plan)] == [5198, 6500]


def test_recipe_may_be_changed_in_the_study(tmp_path: Path) -> None:
    text = BASE.replace(
        "recipe: prismatic", "recipe: {extends: prismatic, finetune: {optimizer: {clip: null}, precision: fp32}}"
    )
    stage = plan_of(tmp_path, text).trials[0].spec.stages[0]
    assert (stage.optimizer.clip, stage.optimizer.lr, stage.precision) == (None, 2e-5, "fp32")


def test_recipe_may_be_the_studys_own(tmp_path: Path) -> None:
    own = "recipe: {finetune: {trains: [projector], global_batch: 8, max_steps: 5, optimizer: {lr: 1e-3}}}"
    text = BASE.replace("recipe: prismatic", own).replace("  epochs: 1\n", "")
    assert [node.steps for node in stage_nodes(plan_of(tmp_path, text))] == [5]


def test_epochs_of_the_base_are_those_of_the_last_stage(tmp_path: Path) -> None:
    text = BASE.replace("[finetune]", "[align, finetune]").replace("epochs: 1", "epochs: 2")
    assert [(node.name, node.steps) for node in stage_nodes(plan_of(tmp_path, text))] == [
        ("align", 2181),
        ("finetune", 10396),
    ]


def test_packing_is_a_part_of_a_stage_and_of_its_key(tmp_path: Path) -> None:
    axis = "axes: {recipe.finetune.packing.tokens: [8192, 4096]}\n"
    plan = plan_of(tmp_path, BASE + axis)
    assert [trial.spec.stages[0].packing for trial in plan.trials] == [
        None,
        PackingSpec(tokens=8192),
        PackingSpec(tokens=4096),
    ]
    assert len({trial.id for trial in plan.trials}) == 3
    assert {node.steps for node in stage_nodes(plan)} == {5198}


@pytest.mark.parametrize("wish", ["packing: {tokens: 4096}", "padding: drop"])
def test_records_share_a_row_only_in_families_that_keep_them_apart(wish: str, tmp_path: Path) -> None:
    fields = "family: opt, config: {hidden_size: 64}, width: 64, max_length: 64, tokenizer: {kind: bytes}, prompt: bare"
    own = f"languages: {{own: {{{fields}}}}}\n"
    text = BASE.replace("vicuna-v15-7b", "own") + own
    if wish.startswith("packing"):
        text = text.replace("recipe: prismatic", f"recipe: {{extends: prismatic, finetune: {{{wish}}}}}")
    else:
        text += f"resources: {{{wish}}}\n"
    with pytest.raises(InputError, match=r"which keep the records of a row apart, but own is of opt"):
        plan_of(tmp_path, text)


def test_a_row_must_have_room_for_the_longest_record(tmp_path: Path) -> None:
    text = BASE.replace("recipe: prismatic", "recipe: {extends: prismatic, finetune: {packing: {tokens: 2048}}}")
    with pytest.raises(
        InputError, match=r"packing.tokens must be at least 2,625, .*BOS, 576 visual tokens, 2,048 of text"
    ):
        plan_of(tmp_path, text)
