"""`ablate questions` as a user calls it, on a study without scores."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from orchestrator.cli import app
from search_spaces.errors import InputError


def test_study_without_scores_has_no_question_to_judge(tmp_path: Path) -> None:
    command = ["questions", "quickstart", "--storage", str(tmp_path)]
    assert json.loads(CliRunner().invoke(app, [*command, "--json"]).stdout) == {
        "schema_version": 1,
        "source": "quickstart",
        "benchmarks": [],
    }
    assert "Nothing is scored yet" in CliRunner().invoke(app, command).stdout


@pytest.mark.parametrize("arguments", [[], ["quickstart", "mini"]])
def test_one_study_or_items_must_be_given(arguments: list[str]) -> None:
    refusal = CliRunner().invoke(app, ["questions", *arguments]).exception
    assert isinstance(refusal, InputError)
    assert "one of STUDY and --items must be given" in str(refusal)
