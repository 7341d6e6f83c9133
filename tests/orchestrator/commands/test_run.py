"""Options of a run that do not go together are refused before anything is read."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from orchestrator.cli import app
from search_spaces.errors import InputError


@pytest.mark.parametrize(
    ("options", "law"),
    [
        (("--max-gpu-hours", "2"), "--max-gpu-hours: must come with --until-decided"),
        (("--until-decided", "--steps", "5,3"), "--steps: must be ascending numbers of seeds from 2 on"),
        (("--until-decided", "--steps", "1,3"), "--steps: must be ascending numbers of seeds from 2 on"),
        (("--until-decided", "--limit", "1"), "--limit: must be left out with --until-decided"),
    ],
)
def test_limits_that_mean_nothing_are_refused(tmp_path: Path, options: tuple[str, ...], law: str) -> None:
    command = ["run", "quickstart", "--toy", "--offline", "--storage", str(tmp_path / "s"), *options]
    refusal = CliRunner().invoke(app, command).exception
    assert isinstance(refusal, InputError)
    assert law in str(refusal)
