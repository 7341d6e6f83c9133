"""`ablate open` starts MLflow, prints a link that answers, and ends with Ctrl-C together with all it has started."""

from __future__ import annotations

import itertools
import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from typer.testing import CliRunner

from orchestrator.cli import app
from orchestrator.tracking.mlflow_connect import open_tracker
from search_spaces.errors import InputError
from tests.support.command_line import ROOT
from tests.support.small_plans import small_plan
from trainables.storage import layout
from trainables.storage.store import LocalStore


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    """A storage on which the study `small` was recorded."""
    LocalStore(tmp_path).put(layout.study_file("small"), b"study: small\n")
    open_tracker(None, tmp_path).open_study(small_plan())
    return tmp_path


def test_the_link_to_a_study_answers_until_ctrl_c(recorded: Path) -> None:
    command = [sys.executable, "-u", "-m", "orchestrator", "open", "small", "--storage", str(recorded)]
    browser, given = recorded / "browser", recorded / "link"
    os.mkfifo(given)
    browser.write_text(f'#!/bin/sh\necho "$1" > {given}\n')
    browser.chmod(0o755)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "400", "BROWSER": str(browser)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment) as opened:
        try:
            assert opened.stdout is not None
            printed = opened.stdout.readline()
            link = re.fullmatch(r"MLflow: (http://127\.0\.0\.1:\d+)/#/experiments/1/runs\?\S+\n", printed)
            assert link is not None
            assert opened.stdout.readline() == "Ctrl-C ends it.\n"
            assert f"MLflow: {given.read_text()}" == printed
            with urllib.request.urlopen(link[1]) as page:
                assert b"MLflow" in page.read()
            opened.send_signal(signal.SIGINT)
            assert opened.wait() == 0
        finally:
            opened.terminate()
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(link[1])


def test_a_program_gets_the_link_as_json_before_ctrl_c(recorded: Path) -> None:
    words = ["open", "small", "--storage", str(recorded), "--no-browser", "--json"]
    command = [sys.executable, "-m", "orchestrator", *words]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment) as opened:
        try:
            assert opened.stdout is not None
            printed = json.loads("".join(itertools.islice(opened.stdout, 6)))
            assert printed.keys() == {"schema_version", "study", "link", "ends"}
            assert (printed["study"], printed["ends"]) == ("small", False)
            with urllib.request.urlopen(printed["link"].partition("#")[0]) as page:
                assert b"MLflow" in page.read()
            opened.send_signal(signal.SIGINT)
            assert opened.wait() == 0
            assert opened.stdout.read() == ""
        finally:
            opened.terminate()


def refusal(*arguments: str) -> str:
    error = CliRunner().invoke(app, ["open", *arguments]).exception
    assert isinstance(error, InputError)
    return str(error)


def test_a_study_that_was_not_recorded_is_said_before_anything_starts(recorded: Path) -> None:
    assert "must have been recorded" in refusal("quickstart", "--storage", str(recorded))
    assert "Did you mean 'small'?" in refusal("smal", "--storage", str(recorded))


def test_a_storage_without_a_database_has_nothing_to_open(tmp_path: Path) -> None:
    assert "a run must have recorded something" in refusal("--storage", str(tmp_path))
