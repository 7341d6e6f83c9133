"""Seeds of initialisation, order and data may be set apart; a replicate keeps one number, and equal work one key."""

from __future__ import annotations

from pathlib import Path

import pytest

from search_spaces.seeds import with_added
from search_spaces.spec import SeedSplit
from tests.support.small_studies import BASE, plan_of, problems_of, stage_nodes

RESAMPLED = """\
study: test
base:
  vision: {backbone: clip-vit-l-336px}
  language: vicuna-v15-7b
  stages: [align, finetune]
  epochs: 1
  data: part
mixes: {part: {parts: [{source: llava-mix665k, fraction: 0.5}], resample: per-seed}}
recipe: prismatic
"""


def _draws(folder: Path, seeds: str) -> dict[int, SeedSplit]:
    return {trial.seed: trial.spec.draws for trial in plan_of(folder, BASE + f"seeds: {seeds}\n").trials}


def test_a_source_with_one_seed_is_the_same_in_all_replicates_and_one_with_a_list_varies(tmp_path: Path) -> None:
    draws = _draws(tmp_path, "{init: 3, order: [7, 8]}")
    assert draws == {7: SeedSplit(order=7, init=3, data=7), 8: SeedSplit(order=8, init=3, data=7)}


def test_replicates_are_called_by_the_first_list_that_tells_them_apart_or_by_default(tmp_path: Path) -> None:
    assert list(_draws(tmp_path, "{order: [1, 1, 2], init: [4, 5, 6]}")) == [4, 5, 6]
    crossed = _draws(tmp_path, "{default: [1, 2, 3, 4], order: [7, 7, 8, 8], init: [7, 8, 7, 8]}")
    assert [(draws.order, draws.init) for draws in crossed.values()] == [(7, 7), (7, 8), (8, 7), (8, 8)]
    assert list(crossed) == [1, 2, 3, 4]


def test_a_split_replicate_whose_seeds_are_equal_is_the_plain_trial_whatever_its_number(tmp_path: Path) -> None:
    plain = plan_of(tmp_path, BASE + "seeds: [7, 8]\n")
    split = plan_of(tmp_path, BASE + "seeds: {init: 7, order: [7, 8]}\n")
    renamed = plan_of(tmp_path, BASE + "seeds: {default: [1, 2], init: 7, order: [7, 8]}\n")
    assert plain.trials[0].id == split.trials[0].id, "init and order are both 7"
    assert plain.trials[1].id != split.trials[1].id
    assert [node.id for node in stage_nodes(split)] == [node.id for node in stage_nodes(renamed)]


def test_keys_of_trials_with_one_seed_are_those_of_earlier_versions(tmp_path: Path) -> None:
    (trial,) = plan_of(tmp_path, BASE).trials
    assert trial.id == "base-s7-d3df6342c212"


def test_a_seed_of_drawn_records_counts_from_the_stage_on_that_draws(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, RESAMPLED + "seeds: {order: 7, init: 7, data: [7, 8]}\n")
    names = [node.name for node in stage_nodes(plan)]
    assert names == ["align", "finetune", "finetune"], "both replicates align on the same records in the same order"


@pytest.mark.parametrize(
    ("seeds", "key", "law"),
    [
        ("{order: [7, 8], init: [1, 2, 3]}", "seeds", "must have a seed for every replicate"),
        ("{order: [7, 7], init: 1}", "seeds", "replicates have no number"),
        ("{default: [1, 2], order: [7, 7], init: 1}", "seeds", "replicates must differ"),
        ("{default: [1], order: [7, 8]}", "seeds.default", "must number all replicates"),
        ("{order: [7, 8], base: [9]}", "seeds.base", "must be replicates of the study (7, 8), but got 9"),
        ("{init: 7}", "seeds", "none has several seeds"),
        ("{data: [7, 8]}", "seeds.data", "no mix of the study draws records by seed"),
        ("{order: [7, 8]}\narms: {order: {epochs: 2}}", "arms.order", "no arm may have that name"),
    ],
)
def test_seeds_apart_that_say_no_replicates_are_refused(tmp_path: Path, seeds: str, key: str, law: str) -> None:
    (problem,) = problems_of(tmp_path, BASE + f"seeds: {seeds}\n")
    assert problem.key == key
    assert law in problem.law


def test_added_replicates_continue_what_varies_and_keep_what_is_fixed() -> None:
    assert with_added({"default": (7, 8)}, {"base": (8, 9)}) == {"default": (7, 8), "base": (7, 8, 9)}
    apart = {"init": (7,), "order": (7, 8)}
    assert with_added(apart, {"base": (9,)}) == {
        "init": (7,),
        "order": (7, 8, 9),
        "default": (7, 8, 9),
        "base": (7, 8, 9),
    }
    numbered = {"default": (1, 2), "init": (7,), "order": (3, 4)}
    assert with_added(numbered, {"base": (3,)})["order"] == (3, 4, 5), "replicate 1 draws from the order 3 already"
