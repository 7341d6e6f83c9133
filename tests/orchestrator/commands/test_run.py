"""Options of a run that do not go together are refused before anything is read; its end has one code and sentence."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, cast

import pytest
from rich.console import Console
from typer.testing import CliRunner

from cluster.launcher import ResourceRequest
from orchestrator.cli import app
from orchestrator.commands.run import end_of_run
from orchestrator.planning.planned import PlanOptions, RunOptions
from orchestrator.run_study import StudyRun
from orchestrator.running.attempts import Outcomes
from orchestrator.running.rehearsals import PlannedRehearsal, RehearsalOutcome
from orchestrator.state.ledger import read_ledger
from search_spaces.errors import InputError
from tests.support.small_records import failure
from tests.support.stored_studies import fail_trial, study_of, two_stage_plan
from trainables.storage.store import LocalStore

SHAPE = PlannedRehearsal("shape", "proof", "base", ResourceRequest(), ("base-s1",))


@pytest.mark.parametrize(
    ("options", "law"),
    [
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


@pytest.mark.parametrize(
    ("outcomes", "stopped_by", "code", "sentence"),
    [
        (Outcomes(signal=15), "ann on node1", 3, "ablate: stopped by ann on node1; the same command goes on"),
        (Outcomes(signal=15), None, 143, ""),
        (Outcomes(signal=2), None, 130, ""),
        (Outcomes(storage_trouble="no space is left at /data"), None, 3, "no space is left at /data"),
        (Outcomes(), None, 1, ""),
    ],
)
def test_the_end_of_a_run_has_its_code_and_says_who_or_what_came_first(
    outcomes: Outcomes, stopped_by: str | None, code: int, sentence: str, tmp_path: Path
) -> None:
    store, plan = LocalStore(tmp_path), two_stage_plan()
    fail_trial(store, plan, plan.trials[0])
    unused = cast(Any, None)
    selected = frozenset(trial.id for trial in plan.trials)
    ledger = read_ledger(plan, store)
    done = StudyRun(study_of(), plan, unused, unused, ledger, outcomes, "ablate mlflow", selected, stopped_by)
    out = io.StringIO()
    assert end_of_run(done, RunOptions(PlanOptions(tmp_path, tmp_path)), Console(file=out, width=160)) == code
    assert sentence in out.getvalue()
    assert ("stopped by" in out.getvalue()) == (stopped_by is not None)


@pytest.mark.parametrize(
    ("outcomes", "code", "sentence"),
    [
        (Outcomes(), 0, "Every shape of the trials has run on this storage before; no trial was started."),
        (Outcomes(rehearsals=(RehearsalOutcome(SHAPE),)), 0, "Rehearsed 1 shape, 0 failed; no trial was started."),
        (Outcomes(rehearsals=(RehearsalOutcome(SHAPE, failure=failure("shape")),)), 1, "Rehearsed 1 shape, 1 failed;"),
        (Outcomes(signal=15), 143, "No shape was rehearsed; no trial was started."),
        (Outcomes(storage_trouble="no space is left"), 3, "No shape was rehearsed; no trial was started."),
    ],
)
def test_the_code_of_rehearsals_alone_follows_from_them_and_not_from_trials_that_failed_before(
    outcomes: Outcomes, code: int, sentence: str, tmp_path: Path
) -> None:
    store, plan = LocalStore(tmp_path), two_stage_plan()
    fail_trial(store, plan, plan.trials[0])
    unused = cast(Any, None)
    selected = frozenset(trial.id for trial in plan.trials)
    done = StudyRun(study_of(), plan, unused, unused, read_ledger(plan, store), outcomes, "ablate mlflow", selected)
    out, options = io.StringIO(), RunOptions(PlanOptions(tmp_path, tmp_path), rehearsals="only")
    assert end_of_run(done, options, Console(file=out, width=160)) == code
    assert sentence in out.getvalue()
