"""`ablate data` as a user calls it: checks, statistics, conversions and drawn miniatures."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from PIL import Image
from rich.console import Console
from typer.testing import CliRunner

from orchestrator.cli import app
from orchestrator.data.check import Checked, to_terminal
from search_spaces.errors import InputError
from tests.support.command_line import ablate

TALK = [{"from": "human", "value": "<image>\nq"}, {"from": "gpt", "value": "answer"}]
TEXT = [{"from": "human", "value": "q"}, TALK[1]]
STUDY = """
study: own
question: q
base:
  vision: {backbone: efficientnet-lite0}
  projector: linear
  language: vicuna-v15-7b
  stages: [finetune]
  epochs: 1
  data: mine
recipe: quickstart
sources:
  mine: {reader: llava, path: chat.json, records: RECORDS, text_only_records: 1, EXTRA}
mixes:
  mine: {parts: [{source: mine, repeat: 2}]}
benchmarks: []
"""


@pytest.fixture
def chat(tmp_path: Path) -> Path:
    rows: list[dict[str, object]] = [{"id": str(i), "image": f"{i}.png", "conversations": TALK} for i in range(3)]
    for number in range(3):
        Image.new("RGB", (6 + number, 4)).save(tmp_path / f"{number}.png")
    (tmp_path / "chat.json").write_text(json.dumps([*rows, {"id": "t", "conversations": TEXT}]))
    return tmp_path / "chat.json"


def _run(*arguments: str | Path) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["data", *map(str, arguments)])
    if isinstance(result.exception, InputError):
        raise result.exception
    return result.exit_code, result.stdout


def test_check_of_a_whole_source_is_fine_and_tells_its_counts_and_digest(chat: Path, tmp_path: Path) -> None:
    code, out = _run("check", chat, "--storage", tmp_path / "store", "--json")
    (found,) = json.loads(out)["items"]
    assert (code, found["is_fine"]) == (0, True)
    assert found["counts"] == {
        "records": 4,
        "text_only": 1,
        "images": 3,
        "tags": {},
        "left_out": {},
        "lost_images": 0,
    }
    assert len(found["digest"]) == 64


def test_check_lists_every_image_that_cannot_be_used_and_exits_with_2(chat: Path, tmp_path: Path) -> None:
    (tmp_path / "0.png").unlink()
    (tmp_path / "2.png").write_bytes(b"no image")
    code, out = _run("check", chat, "--storage", tmp_path / "store")
    assert code == 2
    listed = (tmp_path / "store" / "problems" / "chat.txt").read_text().splitlines()
    assert ["'0.png' is missing" in listed[0], "'2.png' is text, no image" in listed[1]] == [True, True]
    assert all(line in out for line in listed)


def test_what_records_hold_does_nothing_to_the_terminal() -> None:
    file = io.StringIO()
    check = Checked("mine", False, None, first_problems=("record a\x1b[2J\nok     mine",), problems=1)
    to_terminal([check], Console(file=file, width=200))
    assert file.getvalue().splitlines()[1:] == [r"      record a\x1b[2J\nok     mine"]


def test_check_of_missing_data_says_where_they_are_published(tmp_path: Path) -> None:
    code, out = _run("check", "lvis-instruct4v", "--storage", tmp_path)
    assert code == 2
    assert "huggingface.co/datasets/X2FD/LVIS-Instruct4V" in out
    assert "lvis_instruct4v_220k.json, but there is nothing" in out


def test_a_converted_source_has_the_digest_that_check_finds(chat: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    _, converted = _run("convert", chat, "--to", tmp_path / "out", "--storage", store, "--json")
    _, checked = _run("check", chat, "--storage", store, "--json")
    assert json.loads(converted)["digest"] == json.loads(checked)["items"][0]["digest"]


def test_stats_tell_lengths_and_sizes(chat: Path, tmp_path: Path) -> None:
    _, out = _run("stats", chat, "--storage", tmp_path / "store", "--batch", "2", "--json")
    (found,) = json.loads(out)["sources"]
    assert found["steps"] == 2 + 1
    assert (found["width"]["least"], found["width"]["most"], found["measured"]) == (6, 8, 3)
    assert found["characters"]["median"] == len("q" + "answer")


def _study(folder: Path, records: int, extra: str = "images: 3") -> Path:
    file = folder / "own.yaml"
    file.write_text(STUDY.replace("RECORDS", str(records)).replace("EXTRA", extra))
    return file


def test_stats_of_a_study_count_its_mixes_as_they_come_out(chat: Path, tmp_path: Path) -> None:
    study = _study(tmp_path, 4)
    _, out = _run("stats", study, "--data", tmp_path, "--storage", tmp_path / "store", "--json")
    (mix,) = json.loads(out)["mixes"]
    assert (mix["image"], mix["text"], mix["steps"], mix["sources"]) == (6, 2, 2, {"mine": 8})


@pytest.mark.parametrize(("extra", "code"), [("images: 3", 2), ("approximate: true", 0)])
def test_other_counts_than_declared_are_wrong_unless_declared_as_approximate(
    chat: Path, tmp_path: Path, extra: str, code: int
) -> None:
    study = _study(tmp_path, 5, extra)
    got, out = _run("check", study, "--source", "mine", "--data", tmp_path, "--storage", tmp_path / "store", "--json")
    assert got == code
    assert "has 4 records where" in json.loads(out)["items"][0]["notes"][0]


def test_convert_of_several_sources_asks_for_one(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="convert writes one source"):
        _run("convert", "quickstart", "--to", tmp_path / "out", "--storage", tmp_path)


def test_a_miniature_is_drawn_into_a_new_folder_and_never_into_one_that_is_there(tmp_path: Path) -> None:
    target = tmp_path / "mini"
    size = ("--images", "24", "--training-images", "24")
    done = ablate("data", "make-mini", str(target), *size, storage=tmp_path / "s")
    assert done.stdout.strip() == str(target)
    assert {path.name for path in target.iterdir()} == {"benchmarks", "mini-train.json", "qualitative", "train"}
    again = ablate("data", "make-mini", str(target), *size, storage=tmp_path / "s", check=2)
    assert "Name a new folder" in again.stderr


def test_check_tells_all_that_is_wrong_by_kind_with_the_folder_of_the_images(chat: Path, tmp_path: Path) -> None:
    rows = json.loads(chat.read_text())
    rows += [{"id": str(number), "conversations": TALK} for number in range(30)]
    rows[0]["conversations"] = []
    (tmp_path / "1.png").unlink()
    chat.write_text(json.dumps(rows))
    code, out = _run("check", chat, "--storage", tmp_path / "store", "--json")
    (found,) = json.loads(out)["items"]
    assert (code, found["problems"], found["digest"]) == (2, 32, None)
    assert found["kinds"] == {"missing image": 1, "placeholder": 30, "turns": 1}
    assert (len(found["first_problems"]), str(tmp_path) in found["looked_in"]) == (21, True)
    assert len((tmp_path / "store" / "problems" / "chat.txt").read_text().splitlines()) == 32


DROPPING = """
study: own
question: q
base:
  vision: {backbone: efficientnet-lite0}
  language: vicuna-v15-7b
  stages: [finetune]
  epochs: 1
  data: mine
recipe: quickstart
sources:
  mine: {reader: llava, path: chat.json, records: 4, text_only_records: 1, images: 3}
mixes:
  mine: {parts: [{source: mine, drop: missing}]}
benchmarks: []
"""


def test_a_part_that_drops_missing_images_is_fine_without_them_and_its_declared_counts_hold(
    chat: Path, tmp_path: Path
) -> None:
    (tmp_path / "1.png").unlink()
    (tmp_path / "own.yaml").write_text(DROPPING)
    places = ("--data", tmp_path, "--storage", tmp_path / "store")
    code, out = _run("check", tmp_path / "own.yaml", *places, "--json")
    (found,) = json.loads(out)["items"]
    assert (code, found["problems"], found["counts"]["records"]) == (0, 0, 3)
    assert found["counts"]["left_out"] == {"missing": 1}
    assert "1 of 4 records are left out, as their images are missing" in found["notes"][0]
    (tmp_path / "own.yaml").write_text(DROPPING.replace("records: 4", "records: 3"))
    code, out = _run("check", tmp_path / "own.yaml", *places, "--json")
    assert (code, "has 4 records where 3 are declared" in out) == (2, True)


def _lossy_study(folder: Path, text: str = DROPPING) -> list[str | Path]:
    """Write a study beside a source with a missing image; return the arguments of a data command about it."""
    (folder / "1.png").unlink(missing_ok=True)
    (folder / "own.yaml").write_text(text)
    return [folder / "own.yaml", "--data", folder, "--storage", folder / "store"]


def test_check_of_one_source_leaves_out_what_its_study_drops_and_names_the_list(chat: Path, tmp_path: Path) -> None:
    code, out = _run("check", *_lossy_study(tmp_path), "--source", "mine")
    assert code == 0
    assert out.startswith("ok    mine@1: 3 records")
    assert f"1 of 4 records are left out, as their images are missing, listed in {tmp_path}/store/problems/" in out


def test_a_source_that_one_part_drops_from_and_another_does_not_is_wrong(chat: Path, tmp_path: Path) -> None:
    twice = DROPPING.replace("drop: missing}", "drop: missing}, {source: mine}")
    arguments = _lossy_study(tmp_path, twice)
    for source in ([], ["--source", "mine"]):
        code, out = _run("check", *arguments, *source, "--json")
        assert (code, [one["is_fine"] for one in json.loads(out)["items"]]) == (2, [True, False])
    with pytest.raises(InputError, match=r"'1\.png' is missing"):
        _run("convert", *arguments, "--to", tmp_path / "out")


def test_a_source_that_no_part_of_the_study_uses_is_checked_as_it_is(chat: Path, tmp_path: Path) -> None:
    second = "  other: {reader: llava, path: chat.json, records: 4, text_only_records: 1, images: 3}\nmixes:"
    arguments = _lossy_study(tmp_path, DROPPING.replace("mixes:", second))
    assert _run("check", *arguments, "--source", "other")[0] == 2


def test_stats_count_what_will_be_trained(chat: Path, tmp_path: Path) -> None:
    arguments = _lossy_study(tmp_path)
    _, out = _run("stats", *arguments, "--json")
    found = json.loads(out)
    assert (found["sources"][0]["counts"]["records"], found["sources"][0]["turns"]["most"]) == (3, 1)
    assert [(mix["image"], mix["text"], mix["sources"]) for mix in found["mixes"]] == [(2, 1, {"mine": 3})]
    assert found["sources"][0]["notes"] == ["1 of 4 records are left out, as their images are missing"]
    _, out = _run("stats", *arguments, "--source", "mine")
    assert "1 of 4 records are left out, as their images are missing: `ablate data check` lists them" in out


def test_a_converted_source_is_the_same_source_to_the_study_that_drops(chat: Path, tmp_path: Path) -> None:
    arguments = _lossy_study(tmp_path)
    code, out = _run("convert", *arguments, "--source", "mine", "--to", tmp_path / "out")
    assert code == 0
    assert "1 of 4 records are left out, as their images are missing, listed in" in out
    assert "a study must go on to `drop` them" in out
    (digest,) = [line.removeprefix("digest ") for line in out.splitlines() if line.startswith("digest ")]
    moved = _lossy_study(tmp_path, DROPPING.replace("reader: llava, path: chat.json", "reader: parquet, path: out"))
    code, out = _run("check", *moved, "--json")
    (found,) = json.loads(out)["items"]
    assert (code, found["digest"], found["counts"]["left_out"]) == (0, digest, {"missing": 1})


def test_names_beyond_ascii_are_told_on_a_terminal_that_has_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    row = {"id": "\u00fc", "image": "b\u00e4r\u65e5.png", "conversations": TALK}
    (tmp_path / "chat.json").write_text(json.dumps([row]))
    done = ablate("data", "check", str(tmp_path / "chat.json"), storage=tmp_path / "s", check=2)
    assert r"record '\xfc': the image 'b\xe4r\u65e5.png' is missing" in done.stdout
    assert "Traceback" not in done.stderr


def test_check_of_a_study_finds_questions_that_it_names_and_that_are_not_there(chat: Path, tmp_path: Path) -> None:
    asked = [{"id": str(n), "image": "0.png", "question": "q", "answer": "answer"} for n in range(4)]
    (tmp_path / "asked.json").write_text(json.dumps(asked))
    (tmp_path / "images").symlink_to(tmp_path)
    (tmp_path / "ids.txt").write_text("1\n3\n")
    benchmarks = "benchmarks: [{id: asked, source: asked, only: ids.txt}]"
    source = "sources:\n  asked: {reader: questions, path: asked.json, options: {benchmark: exact}}"
    text = STUDY.replace("RECORDS", "4").replace(", EXTRA", "").replace("sources:", source)
    (tmp_path / "study.yaml").write_text(text.replace("benchmarks: []", benchmarks))
    arguments = ("check", tmp_path / "study.yaml", "--data", tmp_path, "--storage", tmp_path / "s")
    code, out = _run(*arguments)
    assert (code, "asked: only 2 questions" in out) == (0, True)
    (tmp_path / "ids.txt").write_text("1\n7\n")
    code, out = _run(*arguments)
    assert (code, "1 of 2 are not there: '7'" in out) == (2, True)
