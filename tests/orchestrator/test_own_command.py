"""Commands that are printed can be pasted into any shell."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import orchestrator
from orchestrator.own_command import named_anywhere, own_command
from tests.support.command_line import ROOT


def test_a_printed_command_runs_in_a_shell_without_an_environment() -> None:
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        ["sh", "-c", own_command("--version")], capture_output=True, text=True, cwd="/", env=environment
    )
    assert done.stdout == f"ablate-vlm {orchestrator.__version__}\n", done.stderr


def test_the_name_is_enough_where_the_shell_finds_this_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("python", "ablate"):
        (folder / name).write_text("#!/bin/sh\n")
        (folder / name).chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(folder / "python"))
    assert shlex.split(own_command("plan", "a b")) == [str(folder / "ablate"), "plan", "a b"]
    monkeypatch.setenv("PATH", str(folder))
    assert own_command("plan", "a b") == "ablate plan 'a b'"
    (folder / "ablate").unlink()
    assert own_command("plan") == f"{folder}/python -m orchestrator plan"


def test_a_file_is_named_by_its_absolute_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("s.yaml").write_text("")
    assert named_anywhere("s.yaml") == str(tmp_path / "s.yaml")
    assert named_anywhere("quickstart") == "quickstart"
