"""Every value of a study is listed with its origin: file, command line, preset, catalogue, default."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from orchestrator.planning.resolved_study import resolved_values
from search_spaces.errors import InputError
from search_spaces.expansion.expand import plan_study
from search_spaces.spec import StageSpec, VisionSpec
from search_spaces.study import Study
from search_spaces.study_files import load_study

STUDY = """\
study: mine
base:
  vision: {backbone: own-net, resolution: 64, weights: random}
  language: llama-2x96
  stages: [align, finetune]
  epochs: 2
  data: easy-vqa-1500
recipe:
  extends: quickstart
  finetune: {optimizer: {lr: 1e-4}}
resources: {preset: prismatic-7b-8x80gb, workers: 4}
benchmarks: [easy-vqa-color, {id: easy-vqa-slim, sample: 9}]
backbones:
  own-net: {extends: efficientnet-lite0, mean: [0.5, 0.5, 0.5]}
"""


def _origins(text: str, tmp_path: Path, *overrides: str) -> dict[str, tuple[str, str]]:
    file = tmp_path / "study.yaml"
    file.write_text(text)
    study = load_study(str(file), overrides)
    return {value.path: (value.text, value.origin) for value in resolved_values(study, plan_study(study))}


def test_each_value_names_the_place_that_it_comes_from(tmp_path: Path) -> None:
    values = _origins(
        STUDY.replace("benchmarks: [easy-vqa-color, ", "benchmarks: [").strip() + "\n", tmp_path, "base.epochs=3"
    )
    assert values["base.vision.resolution"] == ("64", "study.yaml:3")
    assert values["base.vision.mean"] == ("[0.5, 0.5, 0.5]", "study.yaml:14")
    assert values["base.vision.std"][1].startswith("catalogue/encoders.yaml:")
    assert values["base.vision.resize"] == ("letterbox", "default")
    assert values["base.language.width"] == ("96", "catalogue languages.llama-2x96")
    assert values["recipe.finetune.optimizer.lr"] == ("1e-4", "study.yaml:10")
    assert values["recipe.finetune.global_batch"] == ("64", "catalogue recipes.quickstart")
    assert values["recipe.finetune.optimizer.eps"][1] == "default"
    assert values["recipe.finetune.epochs"] == ("3.0", "--set base.epochs=3")
    assert values["recipe.align.epochs"] == ("0.25", "catalogue recipes.quickstart")
    assert values["mixes.easy-vqa-1500.parts[0].source"] == ("easy-vqa-1500", "catalogue mixes.easy-vqa-1500")
    assert values["benchmarks.easy-vqa-shape.sample"] == ("9", "study.yaml:12")
    assert values["benchmarks.easy-vqa-shape.select"] == ("shape", "catalogue benchmarks.easy-vqa-shape")
    assert values["resources.workers"] == ("4", "study.yaml:11")
    assert values["resources.zero"] == ("2", "preset prismatic-7b-8x80gb")
    assert values["resources.hang_timeout_s"][1] == "preset prismatic-7b-8x80gb"
    assert values["seeds.default"] == ("[7]", "default")


def test_every_field_of_encoder_and_stages_is_listed(tmp_path: Path) -> None:
    values = _origins(STUDY.replace("benchmarks: [easy-vqa-color, ", "benchmarks: [").strip() + "\n", tmp_path)
    tops = {path.split(".")[2].partition("[")[0] for path in values if path.startswith("base.vision.")}
    assert tops == set(VisionSpec.model_fields) - {"parts"}
    stage = {path.split(".")[2].partition("[")[0] for path in values if path.startswith("recipe.finetune.")}
    assert stage == set(StageSpec.model_fields) - {"name"}


@pytest.mark.parametrize("name", ["quickstart", "mini", "smollm2", "prismatic/design_space", "prismatic_seeds"])
def test_every_shipped_study_is_resolved_with_paths_that_are_there_once(name: str) -> None:
    study = load_study(name)
    values = list(resolved_values(study, plan_study(study)))
    paths = [value.path for value in values]
    assert len(paths) == len(set(paths))
    assert all(value.origin for value in values)


def test_a_selection_without_the_base_is_refused(tmp_path: Path) -> None:
    study = load_study("quickstart")
    planned = plan_study(study)
    narrowed = planned.narrowed({trial.id for trial in planned.trials if trial.arm != "base"})
    with pytest.raises(InputError, match="must have the base"):
        list(resolved_values(study, narrowed))


def test_every_field_of_a_study_is_resolved_or_named_by_what_is() -> None:
    study = load_study("quickstart")
    listed = {re.split(r"[.\[]", value.path)[0] for value in resolved_values(study, plan_study(study))}
    named = {"samples", "languages", "backbones", "suites"}  # written out where the base or a benchmark names them
    assert set(Study.model_fields) - listed == named


def test_what_the_toy_form_changes_is_said_to_be_of_the_toy_form(tmp_path: Path) -> None:
    file = tmp_path / "study.yaml"
    file.write_text(STUDY.replace("benchmarks: [easy-vqa-color, ", "benchmarks: ["))
    study = load_study(str(file))
    written, toy = plan_study(study), plan_study(study, toy=True)
    before = {value.path: value for value in resolved_values(study, written)}
    values = {value.path: value for value in resolved_values(study, toy, written)}
    assert values["base.vision.resolution"].origin == "study.yaml:3"  # 64 px, in the toy form, too
    assert (values["base.language.width"].text, values["base.language.width"].origin) == ("32", "--toy")
    assert (values["recipe.finetune.max_steps"].text, values["recipe.finetune.max_steps"].origin) == ("3", "--toy")
    for path, value in values.items():
        is_same = path in before and before[path].text == value.text
        assert value.origin == (before[path].origin if is_same else "--toy")
