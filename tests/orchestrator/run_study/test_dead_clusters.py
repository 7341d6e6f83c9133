"""What the cluster of a killed run has left is removed by the next run, also where nothing is left to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster.address import EMBEDDED_PREFIX
from cluster.temporary import LOCK
from measurements.large_storage import write_finished_study
from tests.support.command_line import SMALL, ablate


def test_a_run_with_nothing_left_to_do_removes_the_folder_of_a_killed_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study, storage, temporary = tmp_path / "study.yaml", tmp_path / "storage", tmp_path / "temporary"
    study.write_text(SMALL)
    left = temporary / f"{EMBEDDED_PREFIX}12345678"
    for folder in (storage, left):
        folder.mkdir(parents=True)
    (left / LOCK).touch()
    write_finished_study(study, storage, storage / "sources")
    monkeypatch.setenv("TMPDIR", str(temporary))
    said = ablate("run", str(study), "--offline", storage=storage).stdout
    assert "Nothing was left to do." in said
    assert not left.exists()
