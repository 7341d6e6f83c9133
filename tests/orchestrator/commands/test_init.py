"""`ablate init` writes a study that can be planned at once, and writes over nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner, Result

from orchestrator.cli import app
from search_spaces.errors import InputError
from search_spaces.study_files import load_study, shipped_studies
from tests.support.own_sets import pictures, questions, write_lines, write_own_set


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ABLATE_STORAGE", str(tmp_path / "storage"))


def invoke(*arguments: str) -> Result:
    result = CliRunner().invoke(app, list(arguments), env={"COLUMNS": "200"})
    if isinstance(result.exception, InputError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result


def init_own(folder: str = "mine") -> Result:
    return invoke("init", folder, "--train", "data/train.json", "--test", "data/test.jsonl")


def test_own_data_become_a_study_that_is_planned_at_once(tmp_path: Path) -> None:
    write_own_set(tmp_path / "data")
    shown = init_own("my study").output
    assert "16 records, 8 images; 8 questions on 4 images, 5 answers; no image in both" in shown
    assert 'asked  "Which color is it?"   expected "gold"   (plain: as in your training data' in shown
    assert "11 of 11 known to `tiny`" in shown
    assert "ablate plan 'my study'" in shown
    assert "2 arms, 6 trials, 6 stages, 1 benchmark, 720 steps" in invoke("plan", "my study").output
    assert not (tmp_path / "storage").exists()


def test_every_line_of_the_study_is_explained(tmp_path: Path) -> None:
    write_own_set(tmp_path / "data")
    init_own()
    lines = [line for line in Path("mine/study.yaml").read_text().splitlines() if line]
    assert [line for line in lines if "# " not in line] == []
    assert len(lines) > 40


def test_words_that_only_the_test_set_has_are_told(tmp_path: Path) -> None:
    write_own_set(tmp_path / "data")
    drawn = pictures(tmp_path / "data" / "images", 12)[8:]
    asked = [*questions(drawn), {"id": "new", "image": "9.png", "question": "Which hue?", "answer": "mauve"}]
    write_lines(tmp_path / "data" / "test.jsonl", asked)
    shown = init_own().output
    assert "11 of 13 known to `tiny`" in shown
    assert "unknown: hue, mauve" in shown
    assert "The right answers to 1 question have words that no training text has: `run` refuses them." in shown
    assert "- unknown: hue, mauve\n" in Path("mine/README.md").read_text()


def test_a_folder_of_parquet_files_is_trained_on(tmp_path: Path) -> None:
    write_own_set(tmp_path / "data")
    invoke("data", "convert", "data/train.json", "--images", "data/images", "--to", "converted")
    shown = invoke("init", "mine", "--train", "converted", "--test", "data/test.jsonl").output
    assert "16 records, 8 images" in shown
    source = yaml.safe_load(Path("mine/study.yaml").read_text())["sources"]["mine-train"]
    assert source == {"reader": "parquet", "path": str(tmp_path / "converted"), "records": 16, "images": 8}
    assert "720 steps" in invoke("plan", "mine").output


def test_json_has_what_was_found(tmp_path: Path) -> None:
    write_own_set(tmp_path / "data")
    arguments = ["init", "mine", "--train", "data/train.json", "--test", "data/test.jsonl", "--json"]
    found = json.loads(invoke(*arguments).stdout)
    assert (found["arms"], found["trials"], found["family"], found["shared_images"]) == (2, 6, "exact", 0)
    assert found["training"] == {"records": 16, "images": 8}
    assert found["words"]["unknown"] == []


@pytest.mark.parametrize("study", shipped_studies())
def test_a_copy_of_a_shipped_study_differs_in_its_name_alone(study: str) -> None:
    invoke("init", "mine", "--like", study)
    copy, original = load_study("mine"), load_study(study)
    assert copy.study == "mine"
    assert copy.model_dump(exclude={"study"}) == original.model_dump(exclude={"study"})
    assert yaml.safe_load(Path("mine/study.yaml").read_text())["study"] == "mine"


def test_a_folder_that_is_not_empty_is_left_as_it_is(tmp_path: Path) -> None:
    Path("mine").mkdir()
    Path("mine/notes.txt").write_text("mine")
    with pytest.raises(InputError, match=r"must be an empty folder, or not be there yet, but 'notes\.txt' is in it"):
        invoke("init", "mine", "--like", "quickstart")
    assert [path.name for path in Path("mine").iterdir()] == ["notes.txt"]


def test_nothing_is_written_where_the_data_cannot_be_read(tmp_path: Path) -> None:
    write_own_set(tmp_path / "data")
    (tmp_path / "data" / "images" / "0.png").unlink()
    with pytest.raises(InputError, match=r"'0\.png' is missing"):
        init_own()
    assert not Path("mine").exists()


@pytest.mark.parametrize(
    ("arguments", "law"),
    [
        ((), "must be given, but --train and --test is not"),
        (("--train", "a.json"), "must be given, but --test is not"),
        (("--like", "quickstart", "--train", "a.json"), "must be given without --train"),
        (("--train", "a.csv", "--test", "b.jsonl"), "must be a file that ends on one of"),
        (("--like", "quickstrat"), "quickstart"),
    ],
)
def test_what_is_asked_for_must_make_sense(arguments: tuple[str, ...], law: str) -> None:
    with pytest.raises(InputError, match=law):
        invoke("init", "mine", *arguments)
