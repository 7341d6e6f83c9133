"""Processes, leases and temporary files that a case leaves behind are named; those of other cases are not touched."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from measurements.drill import leftovers as module
from measurements.drill.leftovers import CASE, kill_processes, leftovers
from trainables.storage.owner import Owner
from trainables.storage.store import LocalStore

Start = Callable[[Path], subprocess.Popen[bytes]]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start a process of a case that waits until its input ends."""
    started = []

    def of_case(work: Path) -> subprocess.Popen[bytes]:
        environment = {**os.environ, CASE: str(work)}
        command = [sys.executable, "-c", "import sys; print(flush=True); sys.stdin.read()"]
        process = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.read(1) == b"\n"
        return process

    yield of_case
    for process in started:
        process.kill()
        process.communicate()


def test_what_is_left_behind_is_named(tmp_path: Path, start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "END_WITHIN_S", 0.0)
    storage, temporary = tmp_path / "storage", tmp_path / "temporary"
    for folder in (storage, temporary):
        folder.mkdir()
    (temporary / "cache-of-a-library").mkdir()
    assert leftovers(tmp_path, storage, temporary) == []
    process = start(tmp_path)
    store = LocalStore(storage)
    lease = store.lease("key", Owner.here())
    (temporary / "ablate-1").mkdir()
    said = leftovers(tmp_path, storage, temporary)
    assert [line.partition(" left behind")[0] for line in said] == ["process", "lease", "temporary folder"]
    assert lease is not None
    lease.release()
    (temporary / "ablate-1").rmdir()
    process.communicate()
    assert leftovers(tmp_path, storage, temporary) == []


def test_only_processes_of_the_case_are_killed(tmp_path: Path, start: Start) -> None:
    own, foreign = start(tmp_path / "own"), start(tmp_path / "foreign")
    kill_processes(tmp_path / "own")
    assert own.wait(60) == -9
    assert foreign.poll() is None
