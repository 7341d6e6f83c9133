"""Claims about the options of a command: the command that sends a run's records later names the same trials."""

from __future__ import annotations

import shlex
from pathlib import Path

from orchestrator.planning.planned import PlanOptions, RunOptions

ROOT = Path("/s t/$(x)")


def test_flags_of_defaults_name_the_storage_alone() -> None:
    assert PlanOptions(storage=ROOT, data=ROOT / "sources").flags() == ["--storage", str(ROOT)]


def test_flags_name_everything_that_selects_other_trials() -> None:
    options = PlanOptions(
        storage=ROOT, data=Path("/d"), overrides=("epochs=2",), limit=3, features="cache", toy=True,
        features_budget_bytes=1_500_000_000,
    )  # fmt: skip
    assert options.flags() == [
        "--storage", str(ROOT), "--data", "/d", "--set", "epochs=2", "--limit", "3", "--features", "cache",
        "--features-budget", "1.5", "--toy",
    ]  # fmt: skip


def test_sync_command_can_be_pasted_and_has_no_password() -> None:
    plan = PlanOptions(storage=ROOT, data=ROOT / "sources")
    here = ["sync", "my study.yaml", "--storage", str(ROOT)]
    assert shlex.split(RunOptions(plan, "my study.yaml").sync_command)[1:] == here
    at = RunOptions(plan, "my study.yaml", tracking_uri="http://mlflow:5000").sync_command
    assert shlex.split(at)[1:] == [*here, "--tracking-uri", "http://mlflow:5000"]
    assert "secret" not in RunOptions(plan, "s.yaml", tracking_uri="http://me:secret@mlflow:5000").sync_command
