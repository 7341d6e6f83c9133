"""`ablate benchmarks`, as a user has it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from tests.support.command_line import ROOT, ablate
from tests.support.official_files.vsr import write_vsr
from tests.support.own_sets import write_lines, write_own_set
from trainables.benchmarks.registry import BENCHMARKS


def _ablate(*arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    return ablate(*arguments, storage=ROOT / "none", check=code)


def test_benchmarks_list_show_and_check(tmp_path: Path) -> None:
    listed = json.loads(_ablate("benchmarks", "list", "--json").stdout)
    assert [one["id"] for one in listed["items"]] == list(BENCHMARKS)
    shown = _ablate("benchmarks", "show", "ocidref").stdout
    assert "val_expressions.json" in shown
    assert "18,342" in shown
    write_vsr(tmp_path / "vsr")
    before = sorted(tmp_path.rglob("*"))
    checked = json.loads(_ablate("benchmarks", "check", str(tmp_path), "--json", code=2).stdout)
    states = {one["benchmark"]: one["state"] for one in checked["items"]}
    assert states["vsr"] == "incomplete"
    assert states["vqav2"] == "absent"
    shown = _ablate("benchmarks", "check", str(tmp_path), "--only", "vsr", code=2).stdout
    assert "3 images are missing (--missing FOLDER lists all), the first of them:" in shown
    assert "000000017697.jpg" in shown
    assert sorted(tmp_path.rglob("*")) == before
    lists = tmp_path / "lists"
    _ablate("benchmarks", "check", str(tmp_path), "--missing", str(lists), code=2)
    missing = (lists / "missing-images-vsr.txt").read_text().split()
    assert missing == [f"{17697 + n:012d}.jpg" for n in range(3)]
    assert "wants" in _ablate("benchmarks", "check", str(tmp_path), "--only", "gqa", code=2).stdout


def test_a_complete_set_of_ones_own_passes_the_check(tmp_path: Path) -> None:
    write_own_set(tmp_path / "exact")
    (tmp_path / "exact" / "train.json").unlink()
    shown = _ablate("benchmarks", "check", str(tmp_path), "--only", "exact").stdout
    assert "exact: complete" in shown
    assert "8 examples, 4 images" in shown
    (tmp_path / "exact" / "images" / "8.png").unlink()
    assert "8.png" in _ablate("benchmarks", "check", str(tmp_path), "--only", "exact", code=2).stdout


def test_texts_of_a_set_are_shown_and_not_obeyed(tmp_path: Path) -> None:
    write_own_set(tmp_path / "exact")
    (tmp_path / "exact" / "train.json").unlink()
    first, *others = map(json.loads, (tmp_path / "exact" / "test.jsonl").read_text().splitlines())
    named = {**first, "id": "a\x1b[2J", "question": "Which?\x1b[2J"}
    write_lines(tmp_path / "exact" / "test.jsonl", [named, *others])
    shown = _ablate("benchmarks", "check", str(tmp_path), "--only", "exact").stdout
    assert r"  e.g. a\x1b[2J: 'Which?\x1b[2J' -> " in shown
    assert "\x1b" not in shown


def test_every_protocol_is_shown_with_its_prompt() -> None:
    shown = json.loads(_ablate("benchmarks", "show", "textvqa-ocr", "--json").stdout)
    assert list(shown["protocols"]) == list(BENCHMARKS["textvqa-ocr"].protocols)
    assert all("OCR TOKENS" in protocol["prompt"] for protocol in shown["protocols"].values())
    assert "| QUESTION" in _ablate("benchmarks", "show", "yes-no").stdout


def test_a_benchmark_is_shown_as_a_studys_language_models_read_it(tmp_path: Path) -> None:
    study = write_own_set(tmp_path)
    where = ("--study", str(study), "--data", str(tmp_path), "--storage", str(tmp_path / "store"))
    as_vicuna = ("--set", "axes={language: [tiny, vicuna-v15-7b]}")
    shown = json.loads(_ablate("benchmarks", "show", "our-colors", *where, *as_vicuna, "--json").stdout)
    assert (shown["protocol"], shown["example"], shown["prompt"]) == ("plain", "8.png-color", "Which color is it?")
    bare, vicuna = shown["read_as"].values()
    assert bare == "Which color is it? "
    assert vicuna.endswith("USER: Which color is it? ASSISTANT:")
    assert "| Which color is it?" in _ablate("benchmarks", "show", "our-colors", *where).stdout
    refused = _ablate("benchmarks", "show", "our-colours", *where, code=2)
    assert "Did you mean 'our-colors'" in refused.stderr


def test_a_benchmark_is_shown_with_the_prompt_of_a_real_example(tmp_path: Path) -> None:
    write_own_set(tmp_path)
    shown = _ablate("benchmarks", "show", "exact", "--references", str(tmp_path / "test.jsonl")).stdout
    assert "| Which color is it?" in shown
    assert "| Answer the question using a single word or phrase." in shown
