"""A copy of a study has another name, and stands alone with the files that the study names."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orchestrator.first_study.copied import copied
from search_spaces.study import Study
from search_spaces.study_files import load_study
from tests.support.command_line import SMALL


def copy(study: Path, folder: Path) -> Study:
    """Copy a study into a folder, and load it from there after the original is gone."""
    for name, text in copied(str(study), "mine").items():
        folder.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    for file in [file for file in study.parent.rglob("*") if file.is_file()]:
        file.unlink()
    return load_study(str(folder))


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A folder of studies, of which `study.yaml` is the small one."""
    folder = tmp_path / "own"
    (folder / "below").mkdir(parents=True)
    (folder / "study.yaml").write_text(SMALL)
    return folder


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("variant.yaml", "study: variant\nextends: study.yaml\nseeds: [1, 2]\n"),
        ("variant.yaml", "# no name of its own\nextends: study.yaml\nseeds: [1, 2]\n"),
        ("variant.yaml", "{extends: study.yaml, seeds: [1, 2]}\n"),
        ("below/study.yaml", "study: variant\nextends: ../study.yaml\nseeds: [1, 2]\n"),
        ("below/README.md", "study: variant\nextends: ..\nseeds: [1, 2]\n"),
    ],
)
def test_what_a_study_extends_is_copied_and_does_not_take_its_place(
    own: Path, tmp_path: Path, file: str, text: str
) -> None:
    (own / file).write_text(text)
    study = copy(own / file, tmp_path / "copy")
    assert (study.study, study.seeds["default"]) == ("mine", (1, 2))
    assert study.base.language == load_study("quickstart").base.language


def test_files_of_one_name_get_other_names(own: Path, tmp_path: Path) -> None:
    (own / "below" / "README.md").write_text("extends: ../study.yaml\nbase: {epochs: 3}\n")
    (own / "variant.yaml").write_text("study: variant\nextends: below/README.md\nseeds: [1, 2]\n")
    assert list(copied(str(own / "variant.yaml"), "mine")) == ["study.yaml", "README-2.md", "study-2.yaml"]
    study = copy(own / "variant.yaml", tmp_path / "copy")
    assert (study.study, study.seeds["default"], study.base.epochs) == ("mine", (1, 2), 3)


@pytest.mark.parametrize(
    "line", ['"study": small', "study:\n  small", "study: 'small'  # a name", "study: >-\n  small", "study:   small"]
)
def test_the_name_is_found_however_it_is_written(own: Path, tmp_path: Path, line: str) -> None:
    assert "study: small" in SMALL
    (own / "study.yaml").write_text(SMALL.replace("study: small", line))
    assert copy(own / "study.yaml", tmp_path / "copy").study == "mine"


def test_files_that_a_study_names_are_copied_with_it(own: Path, tmp_path: Path) -> None:
    (own / "below" / "z.json").write_text(json.dumps({"wall_clock_breakdown": True}))
    (own / "ids.txt").write_text("a\nb\n")
    assert "benchmarks: easy-vqa" in SMALL
    text = SMALL.replace("benchmarks: easy-vqa", "benchmarks: [{id: easy-vqa-shape, only: ids.txt}]")
    (own / "study.yaml").write_text(f"{text}resources: {{deepspeed: below/z.json}}\n")
    study = copy(own / "study.yaml", tmp_path / "copy")
    assert study.model_dump()["resources"]["deepspeed"] == {"wall_clock_breakdown": True}
    assert (tmp_path / "copy" / "ids.txt").read_text() == "a\nb\n"


def test_a_study_may_extend_a_file_that_is_still_empty(own: Path, tmp_path: Path) -> None:
    (own / "later.yaml").write_text("# nothing yet\n")
    (own / "study.yaml").write_text(f"extends: later.yaml\n{SMALL}")
    assert copy(own / "study.yaml", tmp_path / "copy").study == "mine"


def test_a_shipped_study_is_extended_by_its_name_as_before(own: Path) -> None:
    (own / "study.yaml").write_text("study: own\nextends: quickstart\n")
    assert copied(str(own), "mine") == {"study.yaml": 'study: "mine"\nextends: quickstart\n'}
