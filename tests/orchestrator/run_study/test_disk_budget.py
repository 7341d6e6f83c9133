"""A study that is beyond its disk budget starts nothing and says so; with room again the same command ends it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.command_line import SMALL, ablate
from trainables.storage import layout

BUDGET_BYTES = 50_000_000


@pytest.mark.ray
def test_a_study_beyond_its_disk_budget_ends_with_exit_code_3_and_goes_on_once_there_is_room(tmp_path: Path) -> None:
    file, storage = tmp_path / "small.yaml", tmp_path / "storage"
    one_arm = SMALL.replace("axes:\n  projector: [gelu-mlp, linear]\n", "")
    file.write_text(f"{one_arm}storage: {{budget_gb: {BUDGET_BYTES / 1e9}}}\n")
    log = storage / layout.worker_log("small-toy", "removed", 0)
    log.parent.mkdir(parents=True)
    with log.open("wb") as grown:
        grown.truncate(2 * BUDGET_BYTES)
    stopped = ablate("run", str(file), "--toy", "--offline", "--on-storage-trouble", "exit", storage=storage, check=3)
    said = " ".join((stopped.stdout + stopped.stderr).split())  # which breaks lines
    assert "the study takes 100.0 MB of its disk budget of 50.0 MB" in said, said
    assert not (storage / "stages").exists()
    log.unlink()
    ablate("run", str(file), "--toy", "--offline", storage=storage)
    assert len(list(storage.glob("stages/*/result.json"))) == 1
