"""The page on scores made elsewhere: its commands run one after the other, and its files are read as they are."""

from __future__ import annotations

import os
import re
import shlex
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from orchestrator.cli import app
from tests.support.harness_files import write_lmms_run, write_vlmevalkit_run

PAGE = (Path(__file__).parents[2] / "docs" / "items.md").read_text()
BLOCKS = re.findall(r"```(\w*)\n(.*?)```", PAGE, flags=re.S)
ACCURACIES = {"base": 0.5, "large": 0.7}


def blocks(language: str) -> list[str]:
    return [text for name, text in BLOCKS if name == language]


def commands() -> list[list[str]]:
    lines = [line for text in blocks("") for line in text.splitlines() if line.startswith("ablate ")]
    return [shlex.split(line)[1:] for line in lines]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a reader stands: runs of both harnesses, and the files of the page."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")  # the environment is activated
    for arm, accuracy in ACCURACIES.items():
        for seed in (1, 2, 3):
            write_lmms_run(tmp_path / "logs" / f"{arm}-seed{seed}", accuracy, seed)
        write_vlmevalkit_run(tmp_path / "outputs", arm, accuracy, 1)
    table, own = blocks("json")
    (tmp_path / "table.jsonl").write_text(table)
    (tmp_path / "own.jsonl").write_text(own)
    (tmp_path / "claims.yaml").write_text(blocks("yaml")[0])
    return tmp_path


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, list(arguments), env={"COLUMNS": "200"})
    assert result.exit_code == 0, (arguments, result.output, result.exception)
    return result.output


def test_every_command_runs_and_the_python_after_them(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    outputs = {shlex.join(command): run(*command) for command in commands()}
    assert len(outputs) == 12
    shown = next(text for text in blocks("") if text.startswith("base, seed 1\n"))
    first = outputs["import --from lmms-eval logs/base-seed1 --arm base --seed 1"]
    assert [line.rstrip() for line in first.splitlines()] == shown.splitlines()
    judged = outputs["verdicts --items items --hypotheses claims.yaml"]
    assert "larger: The larger language model is better  [holds]" in judged
    assert "Scores in points, with 95 % intervals" in judged
    assert "What this can decide (smallest values in points, 80 % power)" in judged
    exec(blocks("python")[0], {})
    assert capsys.readouterr().out.startswith("better [")


def test_the_table_of_the_page_is_a_table_of_items(folder: Path) -> None:
    Path("one.yaml").write_text("hypotheses: [{id: h, claim: c, pairs: [[base, base2]], expect: better}]")
    second = Path("table.jsonl").read_text().replace('"base"', '"base2"')
    Path("second.jsonl").write_text(second)
    assert (
        "not compared" in run("verdicts", "--items", "table.jsonl", "second.jsonl", "--hypotheses", "one.yaml").lower()
    )
