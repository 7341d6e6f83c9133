"""Every command that prints JSON has the same two options that bound it."""

from __future__ import annotations

import json
from pathlib import Path

import typer
from typer.testing import CliRunner

from orchestrator.cli import app
from tests.support.command_line import ablate


def _options() -> dict[str, set[str]]:
    """List the flags of every command."""
    group, flags = typer.main.get_command(app), {}
    for name, command in group.commands.items():
        for inner, leaf in getattr(command, "commands", {"": command}).items():
            flags[f"{name} {inner}".strip()] = {flag for each in leaf.params for flag in each.opts}
    return flags


def test_every_command_with_json_can_be_bounded_and_no_other() -> None:
    flags = _options()
    assert len([name for name, has in flags.items() if "--json" in has]) > 20
    assert [name for name, has in flags.items() if ("--json" in has) != ({"--brief", "--select"} <= has)] == []


def test_selected_fields_of_a_plan_are_printed_alone(tmp_path: Path) -> None:
    words = ["plan", "quickstart", "--json", "--select", "totals.arms,trials.arm", "--brief"]
    printed = json.loads(ablate(*words, storage=tmp_path).stdout)
    assert printed["totals"] == {"arms": 8}
    assert printed["trials"] == [{"arm": "base"}] * 2 + [{"arm": "resolution=32px"}] * 2 + [{"arm": "resolution=16px"}]
    assert printed["left_out"] == {"trials": 11}
    assert set(printed) == {"schema_version", "totals", "trials", "left_out"}


def test_a_report_and_a_status_are_bounded_too(tmp_path: Path) -> None:
    for command in ("report", "status"):
        words = [command, "quickstart", "--json", "--select", "study"]
        assert json.loads(ablate(*words, storage=tmp_path).stdout) == {"schema_version": 1, "study": "quickstart"}


def test_bounds_without_json_are_refused() -> None:
    result = CliRunner().invoke(app, ["plan", "quickstart", "--brief"])
    assert "--brief: must come with --json" in str(result.exception)
