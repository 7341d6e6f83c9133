"""A command that only reads makes no storage: it says that nothing is there, with exit code 2."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from orchestrator.cli import app
from search_spaces.errors import InputError
from tests.support.command_line import SMALL

READING = {
    "status": ("status", "STUDY"),
    "status as JSON": ("status", "STUDY", "--json"),
    "report": ("report", "STUDY"),
    "report as JSON": ("report", "STUDY", "--to", "json"),
    "verdicts": ("verdicts", "STUDY"),
    "verdicts as JSON": ("verdicts", "STUDY", "--json"),
    "sync": ("sync", "STUDY"),
    "logs": ("logs", "a-trial"),
    "export": ("export", "a-trial"),
}


@pytest.mark.parametrize("place", ["typo", "typo/deeper", "file", "x" * 300])
@pytest.mark.parametrize("name", READING)
def test_reading_from_a_storage_that_is_not_there_says_so_and_makes_none(
    name: str, place: str, tmp_path: Path, small: Path
) -> None:
    (tmp_path / "file").write_text("not a folder")
    storage = tmp_path / place
    before = sorted(tmp_path.rglob("*"))
    arguments = [str(small) if word == "STUDY" else word for word in READING[name]]

    done = CliRunner().invoke(app, [*arguments, "--storage", str(storage)])

    assert isinstance(done.exception, InputError)  # which ends with exit code 2
    assert str(storage) in str(done.exception)
    assert "nothing is there" in str(done.exception) or "there is a file" in str(done.exception)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_plan_needs_no_storage_and_makes_none(tmp_path: Path, small: Path) -> None:
    done = CliRunner().invoke(app, ["plan", str(small), "--storage", str(tmp_path / "s")])
    assert done.exit_code == 0, done.output
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize("command", ["check", "stats"])
def test_data_are_looked_at_before_there_is_any_storage(command: str, tmp_path: Path) -> None:
    """A check writes into the storage only the list of what is wrong."""
    records = '[{"id": "1", "conversations": [{"from": "human", "value": "What?"}, {"from": "gpt", "value": "Red."}]}]'
    (tmp_path / "records.json").write_text(records)
    done = CliRunner().invoke(app, ["data", command, str(tmp_path / "records.json"), "--storage", str(tmp_path / "s")])
    assert done.exit_code == 0, done.output
    assert not (tmp_path / "s").exists()


@pytest.fixture
def small(tmp_path: Path) -> Path:
    study = tmp_path / "small.yaml"
    study.write_text(SMALL)
    return study
