"""`ablate noise` trains the base with its seeds once, keeps their spread, and plans reckon with it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import pytest
from rich.console import Console
from typer.testing import CliRunner

from orchestrator.cli import app
from orchestrator.planning.planned import RunOptions, expand, plan
from orchestrator.planning.preflight import known_digests
from orchestrator.run_study import StudyRun
from orchestrator.running.attempts import Outcomes
from orchestrator.state.ledger import read_ledger
from search_spaces.study import Study
from tests.support.command_line import ablate
from trainables.storage.store import LocalStore


def test_a_limit_is_refused(tmp_path: Path) -> None:
    done = ablate("noise", "quickstart", "--toy", "--limit", "1", storage=tmp_path, check=2)
    assert "--limit" in done.stderr


def test_noise_that_was_stopped_ends_as_a_run_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(study: Study, options: RunOptions, console: Console) -> StudyRun:
        """Stand in for the cluster: nothing was trained when `ablate stop` came."""
        store, unused = LocalStore(tmp_path), cast(Any, None)
        planned = plan(expand(study, options.plan), options.plan, known_digests(store))
        trials, ledger = frozenset(trial.id for trial in planned.trials), read_ledger(planned, store)
        return StudyRun(study, planned, unused, unused, ledger, Outcomes(signal=15), None, trials, "ann on node1")

    monkeypatch.setattr("orchestrator.run_study.run_loaded", stopped)
    done = CliRunner().invoke(app, ["noise", "quickstart", "--toy", "--storage", str(tmp_path)])
    assert done.exit_code == 3, done.output
    assert "stopped by ann on node1; the same command goes on" in done.output


@pytest.mark.ray
def test_noise_runs_the_base_and_the_study_trains_none_of_it_again(tmp_path: Path) -> None:
    toy = ("quickstart", "--toy", "--offline", "--cpus", "1")
    noise = json.loads(ablate("noise", *toy, "--seeds", "2", "--json", storage=tmp_path).stdout)
    assert noise["seeds"] == [7, 8]
    assert [row["benchmark"] for row in noise["rows"]][-1] == "mean of all"
    stages = sorted(path.name for path in (tmp_path / "stages").iterdir())
    assert len(stages) == 2
    ran = json.loads(ablate("run", *toy, "--limit", "2", "--json", storage=tmp_path).stdout)
    assert ran["counts"]["done"] == 2
    assert sorted(path.name for path in (tmp_path / "stages").iterdir()) == stages
    assert (
        "the noise floor of 2 seeds of the base"
        in ablate("plan", "quickstart", "--toy", "--tables", storage=tmp_path).stdout
    )
