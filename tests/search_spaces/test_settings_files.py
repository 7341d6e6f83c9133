"""Files of DeepSpeed settings are found beside the study that names them, and what they hold is part of the study."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from search_spaces.errors import InputError
from search_spaces.expansion.expand import plan_study
from search_spaces.plan import Arm
from search_spaces.study_files import load_study

STUDY = """\
study: settings
base: {vision: clip-vit-l-336px, language: vicuna-v15-7b, stages: [align, finetune], epochs: 1, data: llava-v15}
recipe: prismatic
"""
SETTINGS = {"zero_optimization": {"reduce_bucket_size": 1000}}


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """A study that names a file of settings beside it for the trial, a stage and an arm."""
    folder = tmp_path / "studies"
    folder.mkdir()
    (folder / "mine.json").write_text('{"zero_optimization": {"reduce_bucket_size": 1000}}')
    (folder / "study.yaml").write_text(
        STUDY
        + "resources: {zero: 2, deepspeed: mine.json, stages: {align: {deepspeed: mine.json}}}\n"
        + "arms:\n  large: {language: vicuna-v15-13b, resources: {deepspeed: mine.json}}\n"
    )
    return folder / "study.yaml"


def arms_of(name: Path, *overrides: str) -> dict[str, Arm]:
    return {arm.name: arm for arm in plan_study(load_study(str(name), overrides)).arms}


def test_settings_may_be_a_file_beside_the_study(study: Path) -> None:
    for arm in arms_of(study).values():
        assert arm.resources.deepspeed == SETTINGS
        assert arm.resources_of("align").deepspeed == SETTINGS


def test_a_file_is_looked_for_beside_the_study_that_names_it_and_not_beside_one_that_extends_it(
    study: Path, tmp_path: Path
) -> None:
    (tmp_path / "above.yaml").write_text("extends: studies/study.yaml\nstudy: above\nresources: {zero: 1}\n")
    assert arms_of(tmp_path / "above.yaml")["base"].resources.deepspeed == SETTINGS
    (tmp_path / "own.json").write_text('{"wall_clock_breakdown": true}')
    (tmp_path / "above.yaml").write_text("extends: studies/study.yaml\nresources: {deepspeed: own.json}\n")
    assert arms_of(tmp_path / "above.yaml")["base"].resources.deepspeed == {"wall_clock_breakdown": True}


def test_a_file_of_the_command_line_is_looked_for_in_the_working_directory(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "typed.json").write_text('{"wall_clock_breakdown": true}')
    monkeypatch.chdir(tmp_path)
    base = arms_of(study, "resources.deepspeed=typed.json")["base"]
    assert base.resources.deepspeed == {"wall_clock_breakdown": True}


def test_a_study_that_was_read_needs_its_files_no_more(study: Path, tmp_path: Path) -> None:
    before = arms_of(study)
    sent = tmp_path / "elsewhere" / "study.yaml"
    sent.parent.mkdir()
    sent.write_text(yaml.safe_dump(load_study(str(study)).document.value, sort_keys=False))
    assert arms_of(sent) == before


@pytest.mark.parametrize(
    ("text", "law"), [(None, "path of a JSON file"), ("[1]", "must hold a JSON object"), ("{", "path of a JSON file")]
)
def test_a_file_that_holds_no_settings_is_refused_where_it_is_named(study: Path, text: str | None, law: str) -> None:
    if text is None:
        (study.parent / "mine.json").unlink()
    else:
        (study.parent / "mine.json").write_text(text)
    with pytest.raises(InputError, match=law) as refused:
        load_study(str(study))
    assert f"{study}:4" in str(refused.value)
    assert "arms.large.resources.deepspeed" in str(refused.value)
