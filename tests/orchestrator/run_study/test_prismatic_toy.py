"""Every model of the paper, at toy size, through the command that trains the real ones."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.command_line import LARGE_STUDIES, ROOT, ablate


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("study", LARGE_STUDIES[1:])
def test_its_other_studies_run_at_toy_size_as_well(study: str, tmp_path: Path) -> None:
    ablate("plan", study, "--toy", storage=tmp_path)
    command = [sys.executable, "-m", "orchestrator", "run", study, "--toy", "--storage", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=1700)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]


@pytest.mark.ray
@pytest.mark.timeout(1800)
def test_every_arm_of_the_paper_is_trained_and_scored_at_toy_size(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "orchestrator",
        "run",
        "prismatic/design_space",
        "--toy",
        "--storage",
        str(tmp_path),
    ]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=1700)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    status = json.loads(ablate("status", "prismatic/design_space", "--toy", "--json", storage=tmp_path).stdout)
    assert status["counts"]["done"] == 49

    trials = tmp_path / "studies" / "prismatic-toy" / "trials"
    results: dict[str, dict[str, Any]] = {
        path.parent.name: json.loads(path.read_text()) for path in trials.glob("*/result.json")
    }
    assert len(results) == 49
    stages = {name: _modules(tmp_path, result["stages"]) for name, result in results.items()}
    two = next(modules for name, modules in stages.items() if name.startswith("full-ft-multi-stage"))
    assert two == [{"projector"}, {"vision", "projector", "language"}]
    aligned = {result["stages"][0] for name, result in results.items() if len(result["stages"]) == 2 and "7b" in name}
    assert len(aligned) == 1, "the align stage of the 7B arms was trained once"
    assert all(len(result["evaluations"]) == 12 for result in results.values())


def _modules(storage: Path, keys: list[str]) -> list[set[str]]:
    return [set(json.loads((storage / "stages" / key / "result.json").read_text())["modules"]) for key in keys]
