"""Every small shipped study runs at toy size, and running it again does nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from search_spaces.study_files import shipped_studies
from tests.support.command_line import LARGE_STUDIES, SMALL_STUDIES, ablate


@pytest.mark.ray
@pytest.mark.parametrize("study", SMALL_STUDIES)
def test_every_small_shipped_study_runs_at_toy_size_and_running_it_again_does_nothing(
    study: str, tmp_path: Path
) -> None:
    events = tmp_path / "events.jsonl"
    first = ablate("run", study, "--toy", "--events", str(events), storage=tmp_path / "s")
    assert "FAILED" not in first.stdout
    report = json.loads(ablate("report", study, "--toy", "--json", storage=tmp_path / "s").stdout)
    assert report["study"] == f"{study}-toy"
    lines = [json.loads(line) for line in events.read_text().splitlines()]
    done = {line["trial"] for line in lines if line["event"] == "trial done"}
    assert len(done) == lines[0]["trials"] > 0
    assert (lines[-1]["event"], lines[-1]["exit_code"]) == ("run ended", 0)
    again = ablate("run", study, "--toy", storage=tmp_path / "s")
    assert "Nothing was left to do." in again.stdout


def test_every_shipped_study_has_a_toy_test() -> None:
    """Those of the paper have theirs in `test_prismatic_toy.py`."""
    assert {*SMALL_STUDIES, *LARGE_STUDIES} == set(shipped_studies())
