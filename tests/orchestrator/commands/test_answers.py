"""`ablate answers` on a study without scores, and what it refuses; docs/own-data.md runs it on one with scores."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from orchestrator.cli import app
from search_spaces.errors import InputError


def test_a_study_without_scores_has_no_answers(tmp_path: Path) -> None:
    command = ["answers", "quickstart", "--storage", str(tmp_path)]
    assert CliRunner().invoke(app, command).stdout == "Nothing is scored yet.\n"
    shown = json.loads(CliRunner().invoke(app, [*command, "--differ", "--json"]).stdout)
    assert shown == {"schema_version": 1, "study": "quickstart", "questions": "differ", "benchmarks": []}


def test_all_names_that_the_study_does_not_have_are_told(tmp_path: Path) -> None:
    arguments = ["answers", "quickstart", "--storage", str(tmp_path), "--arm", "bse", "--benchmark", "easy-vqa-shpe"]
    said = str(CliRunner().invoke(app, arguments).exception)
    assert "Did you mean 'base'?" in said
    assert "Did you mean 'easy-vqa-shape'?" in said


def test_wrong_and_differing_are_two_choices(tmp_path: Path) -> None:
    arguments = ["answers", "quickstart", "--storage", str(tmp_path), "--wrong", "--differ"]
    with pytest.raises(InputError, match="one of them at most"):
        CliRunner().invoke(app, arguments, catch_exceptions=False)
