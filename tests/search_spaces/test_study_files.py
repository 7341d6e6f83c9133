"""Claims about the form of a study file and where its values come from."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import pytest

from search_spaces.errors import InputError, InputProblemsError
from search_spaces.study_files import find_study, load_study, shipped_studies

BASE = """\
study: test
base:
  vision: clip-vit-l-336px
  language: vicuna-v15-7b
  stages: [finetune]
  data: llava-v15
recipe: prismatic
"""


def _write(folder: Path, text: str, name: str = "study.yaml") -> str:
    path = folder / name
    path.write_text(text)
    return str(path)


def _error(folder: Path, text: str) -> InputError:
    with pytest.raises(InputError) as caught:
        load_study(_write(folder, text))
    return caught.value


def test_short_forms_are_read_as_their_long_forms(tmp_path: Path) -> None:
    short = load_study(_write(tmp_path, BASE + "seeds: [7, 8]\nbenchmarks: prismatic-12\n"))
    assert short.base.vision.backbone == "clip-vit-l-336px"
    assert short.base.language.model == "vicuna-v15-7b"
    assert short.recipe.extends == "prismatic"
    assert short.seeds == {"default": (7, 8)}
    assert [choice.id for choice in short.benchmarks] == ["prismatic-12"]


@pytest.mark.parametrize(
    ("text", "place", "key", "law", "way_out"),
    [
        ("desing: grid\n", 8, "desing", "but got 'desing'", "design"),
        ("design: gridd\n", 8, "design", "must be one of one-at-a-time, grid, list, but got 'gridd'", "grid"),
        ("seeds:\n  - 7\n  - 8.5\n", 10, "seeds.default[1]", "must be a whole number, but got 8.5", None),
        ("seeds: ['7']\n", 8, "seeds.default[0]", "must be a whole number, but got '7'", None),
        ("resources: {workers: true}\n", 8, "resources.workers", "must be a whole number, but got true", None),
        ("resources: {workers: 0}\n", 8, "resources.workers", "greater than or equal to 1, but got 0", None),
        ("resources: {zero: 4}\n", 8, "resources.zero", "must be one of 0, 1, 2, 3, but got '4'", None),
        ("sources: {s: {reader: parket}}\n", 8, "sources.s.reader", "easy-vqa, llava, lrv, parquet", "'parquet'"),
        ("axes: [a]\n", 8, "axes", "must be a mapping", None),
        ("question: [a]\n", 8, "question", "must be text", None),
    ],
)
def test_wrong_value_is_refused_with_place_key_law_and_nearest_value(
    tmp_path: Path, text: str, place: int, key: str, law: str, way_out: str | None
) -> None:
    error = _error(tmp_path, BASE + text)
    assert error.place == f"{tmp_path / 'study.yaml'}:{place}"
    assert error.key == key
    assert law in error.law
    assert way_out is None or way_out in (error.way_out or "")


def test_unknown_key_deep_in_the_recipe_names_the_keys_that_are_legal_there(tmp_path: Path) -> None:
    text = BASE.replace("recipe: prismatic", "recipe: {extends: prismatic, finetune: {optimizer: {lrr: 1e-5}}}")
    error = _error(tmp_path, text)
    assert error.key == "recipe.finetune.optimizer.lrr"
    assert "weight_decay" in error.law
    assert error.way_out == "Did you mean 'lr'?"


def test_all_problems_of_a_file_are_reported_together(tmp_path: Path) -> None:
    error = _error(tmp_path, BASE.replace("stages: [finetune]", "stages: finetune") + "design: x\nseed: [1]\n")
    assert isinstance(error, InputProblemsError)
    assert {problem.key for problem in error.problems} == {"base.stages", "design", "seed"}
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_epochs_and_max_steps_together_are_refused(tmp_path: Path) -> None:
    error = _error(tmp_path, BASE.replace("  data:", "  epochs: 1\n  max_steps: 2\n  data:"))
    assert "`epochs` and `max_steps` must not both be given" in error.law


@pytest.mark.parametrize("expect", ["equivalent", "not-worse"])
def test_hypothesis_that_needs_a_margin_is_refused_without_one(tmp_path: Path, expect: str) -> None:
    hypothesis = f"hypotheses: [{{id: a, claim: b, pairs: [[base, x]], expect: {expect}}}]\n"
    assert "`margin` must be given" in _error(tmp_path, BASE + hypothesis).law


@pytest.mark.parametrize(
    ("fields", "law"),
    [
        ("looks: [3, 10, 5]", "`looks` must increase, but they are 3, 10, 5"),
        ("looks: [1, 5]", "greater than or equal to 2, but got 1"),
        ("spending: pocock", "`spending` must come with `looks`"),
        ("looks: [3], spending: fleming", "must be one of obrien-fleming, pocock, but got 'fleming'"),
    ],
)
def test_looks_that_cannot_be_are_refused(tmp_path: Path, fields: str, law: str) -> None:
    hypothesis = f"hypotheses:\n  - {{id: a, claim: b, pairs: [[base, base2]], expect: better, {fields}}}\n"
    assert law in _error(tmp_path, BASE + hypothesis).law


def test_hypothesis_on_a_single_benchmark_may_be_written_as_text(tmp_path: Path) -> None:
    study = load_study(
        _write(tmp_path, BASE + "hypotheses: [{id: a, claim: b, pairs: [[base, x]], on: gqa, expect: better}]\n")
    )
    assert study.hypotheses[0].on == ("gqa",)


def test_missing_keys_are_named(tmp_path: Path) -> None:
    error = _error(tmp_path, "study: x\nbase: {}\nrecipe: prismatic\n")
    assert isinstance(error, InputProblemsError)
    assert {problem.key for problem in error.problems} == {"base.vision", "base.language", "base.stages"}


def test_study_that_extends_another_merges_and_tells_where_values_come_from(tmp_path: Path) -> None:
    parent = _write(tmp_path, BASE + "seeds: [7, 8, 9]\nresources: {workers: 8}\n", "parent.yaml")
    child = _write(
        tmp_path,
        "extends: parent.yaml\nstudy: child\nbase:\n  vision: {resize: crop}\nseeds: [1]\nresources: null\n",
        "child.yaml",
    )
    study = load_study(child, ["base.epochs=2"])
    assert study.study == "child"
    assert study.base.vision.backbone == "clip-vit-l-336px"
    assert study.base.vision.resize == "crop"
    assert study.seeds == {"default": (1,)}
    assert study.resources.workers == 1
    origin = study.provenance()
    assert origin["base.vision.backbone"] == f"{parent}:3"
    assert origin["base.vision.resize"] == f"{child}:4"
    assert origin["base.epochs"] == "--set base.epochs=2"


def test_studies_that_extend_one_another_are_refused(tmp_path: Path) -> None:
    _write(tmp_path, "extends: b.yaml\n", "a.yaml")
    with pytest.raises(InputError, match="must not lead back"):
        load_study(_write(tmp_path, "extends: a.yaml\n", "b.yaml"))


def test_extends_of_a_study_that_is_not_there_is_refused_at_its_line(tmp_path: Path) -> None:
    error = _error(tmp_path, BASE + "extends: quickstrat\n")
    assert (error.key, error.way_out) == ("extends", "Did you mean 'quickstart'?")


def test_study_may_extend_a_shipped_one(tmp_path: Path) -> None:
    study = load_study(_write(tmp_path, "extends: quickstart\nstudy: mine\nseeds: [1]\n"))
    assert study.base.language.model == "llama-2x96"


def test_override_of_a_short_form_keeps_what_it_stands_for(tmp_path: Path) -> None:
    study = load_study(_write(tmp_path, BASE), ["base.vision.resize=naive", "seeds=[1, 2]"])
    assert study.base.vision.backbone == "clip-vit-l-336px"
    assert study.base.vision.resize == "naive"
    assert study.seeds == {"default": (1, 2)}


def test_wrong_override_is_named_as_the_place(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        load_study(_write(tmp_path, BASE), ["base.vision.resize=corp"])
    assert caught.value.place == "--set base.vision.resize=corp"


def test_unknown_study_names_the_shipped_ones() -> None:
    with pytest.raises(InputError, match="quickstart") as caught:
        load_study("quickstrat")
    assert caught.value.way_out == "Did you mean 'quickstart'?"


def test_shipped_studies_are_found_by_name() -> None:
    assert {"quickstart", "smollm2"} <= set(shipped_studies())
    assert load_study("quickstart").study == "quickstart"


@pytest.mark.parametrize("text", ["", "- a\n", "text\n"])
def test_file_that_holds_no_mapping_is_refused(tmp_path: Path, text: str) -> None:
    assert "must be a mapping" in _error(tmp_path, text).law


def test_study_survives_pickling_with_its_places(tmp_path: Path) -> None:
    study = load_study(_write(tmp_path, BASE))
    assert pickle.loads(pickle.dumps(study)).provenance() == study.provenance()


@pytest.mark.parametrize(
    ("pairs", "law", "way_out"),
    [
        ("[base, epochs=2]", "must be a list, but got 'base'", "Write `pairs: [[base, epochs=2]]`."),
        ("[[base, epochs=2, epochs=3]]", "must have at most 2, but got 3", None),
    ],
)
def test_a_pair_in_another_form_is_shown_as_it_is_written(
    tmp_path: Path, pairs: str, law: str, way_out: str | None
) -> None:
    claim = f"{{id: h, claim: c, pairs: {pairs}, on: all, expect: better}}"
    error = _error(tmp_path, f"{BASE}axes: {{epochs: [2, 3]}}\nhypotheses: [{claim}]\n")
    first = error.problems[0] if isinstance(error, InputProblemsError) else error
    assert law in first.law
    assert first.way_out == way_out


@pytest.mark.parametrize(("kind", "words"), [("folder", "is a folder without study.yaml"), ("pipe", "is no file")])
def test_what_is_no_file_is_not_called_absent(tmp_path: Path, kind: str, words: str) -> None:
    path = tmp_path / "mine"
    path.mkdir() if kind == "folder" else os.mkfifo(path)
    with pytest.raises(InputError, match=words):
        find_study(str(path))
