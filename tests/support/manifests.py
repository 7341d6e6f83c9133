"""Render studies as a user does, and schemas to hold what comes out against."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml
from typer.testing import CliRunner, Result

from cluster.manifests.forms import ManifestForm
from orchestrator.cli import app

SCHEMAS = Path(__file__).parent / "manifest_schemas"


def render(form: ManifestForm, profile: str, *options: str, study: str = "quickstart") -> str:
    """Return what `ablate submit STUDY --render FORM --profile PROFILE` prints."""
    result = try_render(form, profile, *options, study=study)
    assert result.exit_code == 0, result.exception
    return result.output


def try_render(form: ManifestForm, profile: str, *options: str, study: str = "quickstart") -> Result:
    """Run the command, whatever comes of it."""
    command = ["submit", study, "--render", form, "--profile", profile, *options]
    return CliRunner().invoke(app, command, env={"MLFLOW_TRACKING_URI": None, "ABLATE_STORAGE": None})


def documents(text: str) -> list[dict[str, Any]]:
    """Read the documents of a YAML text."""
    return list(yaml.safe_load_all(text))


def schema(name: str) -> dict[str, Any]:
    """Read a schema by its name."""
    read: dict[str, Any] = json.loads((SCHEMAS / f"{name}.json").read_text())
    return read
