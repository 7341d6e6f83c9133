"""Claims about orchestrator/running/periodic.py."""

from __future__ import annotations

import threading

import pytest

from orchestrator.running.periodic import PeriodicCall, called_periodically


def test_a_call_that_fails_is_logged_and_the_next_one_comes(caplog: pytest.LogCaptureFixture) -> None:
    counts, again = [], threading.Event()

    def count() -> None:
        counts.append(len(counts))
        if len(counts) == 1:
            raise OSError("storage is away")
        again.set()

    with called_periodically([PeriodicCall(0.001, count)]):
        assert again.wait(timeout=60)
    assert "storage is away" in caplog.text


def test_nothing_is_called_after_the_block() -> None:
    before = threading.active_count()
    with called_periodically([PeriodicCall(3600.0, lambda: None)]):
        assert threading.active_count() == before + 1
    assert threading.active_count() == before
