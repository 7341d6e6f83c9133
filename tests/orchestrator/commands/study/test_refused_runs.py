"""`ablate run` names everything that is missing before anything trains."""

from __future__ import annotations

import json
from pathlib import Path

from tests.support.command_line import SMALL, ablate


def test_an_impossible_ask_is_a_note_of_plan_and_an_error_of_run(small: Path, tmp_path: Path) -> None:
    small.write_text(SMALL + "resources: {workers: 64}\n")
    planned = ablate("plan", str(small), storage=tmp_path / "s")
    assert "this machine cannot run it" in planned.stdout
    done = ablate("run", str(small), storage=tmp_path / "s", check=2)
    assert "64 workers" in done.stderr


def test_a_missing_image_is_named_before_anything_trains(tmp_path: Path) -> None:
    talk = [{"from": "human", "value": "<image>\nwhat?"}, {"from": "gpt", "value": "this"}]
    (tmp_path / "chat.json").write_text(json.dumps([{"id": "a7", "image": "gone.png", "conversations": talk}] * 2))
    study = tmp_path / "own.yaml"
    own = "sources: {own: {reader: llava, path: chat.json, version: '1', records: 2}}\n"
    own += "mixes: {own: {parts: [{source: own}]}}\n"
    study.write_text(SMALL.replace("data: easy-vqa-1500", "data: own") + own)
    done = ablate("run", str(study), "--data", str(tmp_path), storage=tmp_path / "s", check=2)
    assert "a7" in done.stderr
    assert "gone.png" in done.stderr
    assert not (tmp_path / "s" / "studies").exists()


def test_weights_that_cannot_be_had_are_an_error_of_run_naming_what_was_tried(small: Path, tmp_path: Path) -> None:
    small.write_text(SMALL.replace("language: llama-2x96", "language: smollm2-135m"))
    done = ablate("run", str(small), "--data", str(tmp_path / "none"), storage=tmp_path / "s", check=2)
    assert str(tmp_path / "none" / "smollm2-135m") in done.stderr
    assert "--data" in done.stderr


def test_a_study_of_benchmarks_is_planned_without_their_files_and_its_run_names_all_that_are_missing(
    small: Path, tmp_path: Path
) -> None:
    small.write_text(SMALL.replace("benchmarks: easy-vqa", "benchmarks: prismatic-12"))
    ablate("plan", str(small), storage=tmp_path / "s")
    done = ablate("run", str(small), "--data", str(tmp_path / "none"), storage=tmp_path / "s", check=2)
    for folder in ("vqav2", "gqa", "refcoco+", "ai2d"):
        assert str(tmp_path / "none" / "benchmarks" / folder) in done.stderr
