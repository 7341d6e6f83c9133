"""A run that is asked to stop ends in order, and the same command goes on."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.command_line import ROOT, SMALL, ablate
from trainables.storage.store import LocalStore

CHECKPOINT_EVERY = 5


def _start(file: Path, storage: Path) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "orchestrator", "run", str(file), "--offline", "--storage", str(storage)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT, env=environment
    )


def _read_until_trained(run: subprocess.Popen[str]) -> str:
    """Read what a run says until it has made more steps than a checkpoint needs."""
    assert run.stdout is not None
    text = ""
    for line in run.stdout:
        text += line
        step = re.search(r"finetune, step (\d+)/", line)
        if step is not None and int(step[1]) > CHECKPOINT_EVERY:
            return text
    raise AssertionError(f"the run ended before it was asked to: {text}")


@pytest.mark.ray
def test_a_run_that_is_asked_to_stop_ends_with_3_and_leaves_nothing_that_looks_alive(tmp_path: Path) -> None:
    file, storage = tmp_path / "small.yaml", tmp_path / "s"
    text = SMALL.replace("epochs: 1", "epochs: 500").replace("easy-vqa\n", "[easy-vqa-shape]\n")
    file.write_text(f"{text}resources: {{checkpoint_every_steps: {CHECKPOINT_EVERY}}}\n")
    with _start(file, storage) as run:
        try:
            _read_until_trained(run)
            stopped = ablate("stop", "small", "--wait", storage=storage)
            said, _ = run.communicate()
        finally:
            run.kill()
    assert run.returncode == 3, said
    assert f"(pid {run.pid})" in stopped.stdout
    assert "ablate: stopped by" in said
    assert LocalStore(storage).leases() == set()
    status = json.loads(ablate("status", str(file), "--json", storage=storage).stdout)
    assert (status["counts"]["running"], status["runs"]) == (0, [])
    assert status["steps_done"] >= CHECKPOINT_EVERY
    assert "no run goes on" in ablate("stop", "small", storage=storage).stdout
    left = json.loads(ablate("run", str(file), "--dry-run", "--json", storage=storage).stdout)
    assert left["difference"]["kept"]["steps"] == status["steps_done"]
