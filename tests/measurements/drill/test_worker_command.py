"""Claims about measurements/drill/worker_command.py: a group ends, whichever of its ranks dies, and whenever."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from measurements.drill import worker_command
from measurements.drill.worker_command import run_group
from search_spaces.resource_spec import ResourceSpec
from tests.support.fake_trials import Fakes


@pytest.mark.timeout(120)
def test_group_whose_first_rank_dies_before_it_listens_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_command.Worker, "listen", lambda worker: os._exit(9))
    fakes = Fakes(tmp_path, {"a": ["s1"]})
    fakes.resources["a"] = ResourceSpec(workers=2)
    failed = run_group(fakes.task("a"), lambda role: None, tmp_path / "steps")
    assert failed is not None
    assert failed.kind == "lost"
