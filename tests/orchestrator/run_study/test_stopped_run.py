"""A run that is asked to stop ends in order, and the same command goes on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.command_line import SMALL, ablate
from tests.support.followed_run import followed_run, read_until_trained
from trainables.storage.store import LocalStore

CHECKPOINT_EVERY = 5


@pytest.mark.ray
def test_a_run_that_is_asked_to_stop_ends_with_3_and_leaves_nothing_that_looks_alive(tmp_path: Path) -> None:
    file, storage = tmp_path / "small.yaml", tmp_path / "s"
    text = SMALL.replace("epochs: 1", "epochs: 500").replace("easy-vqa\n", "[easy-vqa-shape]\n")
    file.write_text(f"{text}resources: {{checkpoint_every_steps: {CHECKPOINT_EVERY}}}\n")
    with followed_run(file, storage, "--offline") as run:
        read_until_trained(run, CHECKPOINT_EVERY)
        stopped = ablate("stop", "small", "--wait", storage=storage)
        said, _ = run.communicate()
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
