"""A trial that counts as done after a power cut has its history: the spool is on the disk before the result is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.tiny_trials import make_task, run
from trainables.storage import layout


def test_the_whole_spool_is_flushed_when_the_result_appears(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    task = make_task(tmp_path)
    spool, result = (tmp_path / name(task.study, task.id) for name in (layout.spool, layout.trial_result))
    flush, rename = os.fsync, os.replace
    flushed: dict[int, int] = {}
    sizes: list[tuple[int | None, int]] = []

    def noting_flush(descriptor: int) -> None:
        facts = os.fstat(descriptor)
        flushed[facts.st_ino] = facts.st_size
        flush(descriptor)

    def noting_rename(source: Path, target: Path) -> None:
        if target == result:
            facts = spool.stat()
            sizes.append((flushed.get(facts.st_ino), facts.st_size))
        rename(source, target)

    monkeypatch.setattr("os.fsync", noting_flush)
    monkeypatch.setattr("os.replace", noting_rename)
    run(task)
    ((on_disk, written),) = sizes
    assert on_disk == written > 0
