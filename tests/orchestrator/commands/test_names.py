"""`ablate ls` and `ablate show` as a user calls them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from orchestrator.cli import app
from orchestrator.planning.named_kinds import KINDS
from orchestrator.schema_version import SCHEMA_VERSION
from search_spaces.errors import InputError


def printed(*arguments: str) -> str:
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == 0, (result.output, result.exception)
    return result.stdout


def test_the_kinds_are_listed_with_their_counts(tmp_path: Path) -> None:
    shown = json.loads(printed("ls", "--storage", str(tmp_path), "--json"))
    kinds = shown["kinds"]
    assert shown["schema_version"] == SCHEMA_VERSION
    assert [entry["kind"] for entry in kinds] == list(KINDS)
    assert all(entry["names"] for entry in kinds)
    assert [line.split()[0] for line in printed("ls", "--storage", str(tmp_path)).splitlines()] == list(KINDS)


def test_names_of_a_kind_are_listed_and_shown_as_a_study_file_has_them(tmp_path: Path) -> None:
    listed = json.loads(printed("ls", "recipes", "--json"))
    assert (listed["schema_version"], listed["kind"]) == (SCHEMA_VERSION, "recipes")
    names = [entry["name"] for entry in listed["names"]]
    lines = printed("ls", "recipes").splitlines()
    assert lines[0] == "recipes: written as recipe"
    assert [line.split()[0] for line in lines[1:]] == names
    shown = yaml.safe_load(printed("show", "recipes", "quickstart"))["quickstart"]
    assert json.loads(printed("show", "recipes", "quickstart", "--json"))["quickstart"] == shown
    assert "finetune" in shown["stages"]


@pytest.mark.parametrize("kind", KINDS)
def test_json_of_every_kind_is_an_object_with_its_version(kind: str, tmp_path: Path) -> None:
    name = json.loads(printed("ls", kind, "--storage", str(tmp_path), "--json"))["names"][0]["name"]
    shown = json.loads(printed("show", kind, name, "--storage", str(tmp_path), "--json"))
    assert list(shown) == ["schema_version", name]


@pytest.mark.parametrize("arguments", [("ls", "recipe"), ("show", "recipe", "quickstart")])
def test_an_unknown_kind_is_answered_with_the_nearest(arguments: tuple[str, ...]) -> None:
    error = CliRunner().invoke(app, list(arguments)).exception
    assert isinstance(error, InputError)
    assert "Did you mean 'recipes'?" in str(error)
