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
from tests.support.command_line import SMALL
from tests.support.own_sets import pictures, questions, write_lines, write_own_set
from trainables.storage import layout
from trainables.storage.store import LocalStore


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


def test_texts_of_the_data_are_shown_and_not_obeyed(tmp_path: Path) -> None:
    write_own_set(tmp_path / "data")
    asked = json.loads((tmp_path / "data" / "test.jsonl").read_text().splitlines()[0])
    write_lines(tmp_path / "data" / "test.jsonl", [{**asked, "question": "Which color is it?\x1b[2J\n# Heading"}])
    shown = init_own().output
    readme = Path("mine/README.md").read_text()
    for text in (shown, readme):
        assert r"Which color is it?\x1b[2J\n# Heading" in text
        assert "\x1b[2J" not in text


def test_images_of_parquet_files_are_in_them(tmp_path: Path) -> None:
    write_own_set(tmp_path / "data")
    invoke("data", "convert", "data/train.json", "--images", "data/images", "--to", "converted")
    arguments = ["--train", "converted", "--test", "data/test.jsonl", "--images", "data/images"]
    assert "--images is for the questions alone" in invoke("init", "mine", *arguments).output
    arguments[1] = "data/train.json"
    assert "--images is" not in invoke("init", "other", *arguments).output


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


def test_the_copy_of_a_study_that_extends_another_study_file(tmp_path: Path) -> None:
    (tmp_path / "study.yaml").write_text(SMALL)
    (tmp_path / "variant.yaml").write_text("study: variant\nextends: study.yaml\nseeds: [1, 2, 3]\n")
    shown = json.loads(invoke("init", "mine", "--like", "variant.yaml", "--json").stdout)
    assert (shown["study"], shown["arms"], shown["trials"]) == ("mine", 2, 6)
    assert load_study("mine").study == "mine"
    assert "2 arms, 6 trials" in invoke("plan", "mine").output


def test_what_is_wrong_with_a_study_to_copy_is_told_with_its_own_place(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text(SMALL.replace("projector: [gelu-mlp, linear]", "projector: [gelu-mlp, lineal]"))
    with pytest.raises(InputError, match=r"^own\.yaml:\d+: axes.projector"):
        invoke("init", "mine", "--like", "own.yaml")
    assert not Path("mine").exists()


@pytest.mark.parametrize("folder", ["2025", "null", "1e3", "0x1f", "010", "no"])
def test_a_folder_may_be_called_like_a_number(folder: str, tmp_path: Path) -> None:
    write_own_set(tmp_path / "data")
    init_own(folder)
    assert load_study(folder).study == folder


def test_a_copy_may_be_called_like_a_number(tmp_path: Path) -> None:
    invoke("init", "2025", "--like", "quickstart")
    assert load_study("2025").study == "2025"


def test_a_name_that_the_storage_has_is_refused_before_data_are_read() -> None:
    LocalStore(Path("storage").absolute()).put(layout.study_file("mine"), b"study: mine\n")
    with pytest.raises(InputError, match="Name another folder, or another --storage"):
        invoke("init", "mine", "--train", "absent.json", "--test", "absent.jsonl")


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
        ((), "must be given, but --train and --test are missing"),
        (("--train", "a.json"), "must be given, but --test is missing"),
        (("--like", "quickstart", "--train", "a.json"), "must be given without --train"),
        (("--like", "quickstrat"), "--like: must be a file, or one of"),
        (("--train", "a.csv", "--test", "b.jsonl"), "must be a file that ends on one of"),
        (("--like", "quickstrat"), "quickstart"),
    ],
)
def test_what_is_asked_for_must_make_sense(arguments: tuple[str, ...], law: str) -> None:
    with pytest.raises(InputError, match=law):
        invoke("init", "mine", *arguments)
