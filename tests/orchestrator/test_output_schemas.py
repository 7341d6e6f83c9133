"""Claims about orchestrator/output_schemas.py: what commands print fits its schema, with every field described."""

from __future__ import annotations

import json
from typing import Any, get_args

import pytest
from typer.testing import CliRunner

from orchestrator.analysis.verdict_model import verdicts_json
from orchestrator.cli import app
from orchestrator.output_schemas import output_schema
from orchestrator.reporting.csv_json import to_json as report_json
from orchestrator.schema_version import SCHEMA_VERSION, OutputKind
from orchestrator.state.status import study_status, to_json
from tests.support.command_line import SMALL_STUDIES
from tests.support.report_cases import finished, hostile, under_way, unstarted
from tests.support.stored_studies import fail_trial, hold_running, spool_step, two_stage_plan
from trainables.storage.store import LocalStore

jsonschema = pytest.importorskip("jsonschema")


def problems(kind: OutputKind, value: Any) -> list[str]:
    errors = jsonschema.Draft202012Validator(output_schema(kind)).iter_errors(value)
    return [f"{list(error.absolute_path)}: {error.message}"[:300] for error in errors]


@pytest.mark.parametrize("kind", get_args(OutputKind))
def test_every_kind_has_a_schema_that_says_what_it_is_of(kind: OutputKind) -> None:
    schema = output_schema(kind)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["title"]
    printed = CliRunner().invoke(app, ["schema", "--of", kind])
    assert json.loads(printed.stdout) == schema


@pytest.mark.parametrize("study", [*SMALL_STUDIES, "prismatic_seeds"])
def test_plans_fit(study: str, tmp_path: Any) -> None:
    printed = CliRunner().invoke(
        app, ["plan", study, "--json", "--storage", str(tmp_path / "s")], catch_exceptions=False
    )
    plan = json.loads(printed.stdout)
    assert problems("plan", plan) == []
    assert plan.keys() <= output_schema("plan")["properties"].keys()
    plan["trials"][0]["seed"] = "seven"
    assert problems("plan", plan) == ["['trials', 0, 'seed']: 'seven' is not of type 'integer'"]


def test_a_status_of_running_and_failed_trials_fits(store: LocalStore) -> None:
    plan = two_stage_plan()
    fail_trial(store, plan, plan.trials[0])
    hold_running(store, plan, plan.trials[1].id, [spool_step(1, 0.0), spool_step(2, 1.0)])
    status = json.loads(to_json(study_status(plan, store)))
    assert {trial["state"] for trial in status["trials"]} >= {"failed", "running"}
    assert problems("status", status) == []
    assert problems("status", {**status, "further": 1}) != []


@pytest.mark.parametrize("made", [finished, under_way, unstarted, hostile])
def test_reports_and_their_verdicts_fit(made: Any, store: LocalStore) -> None:
    report = made(store)
    assert problems("report", json.loads(report_json(report))) == []
    verdicts = {"schema_version": SCHEMA_VERSION, **verdicts_json(report.verdicts)}
    assert problems("verdicts", json.loads(json.dumps(verdicts))) == []
