"""Claims about orchestrator/running/attendants.py."""

from __future__ import annotations

import threading

import pytest

from orchestrator.running.attendants import Attendant, attended


def test_a_look_that_fails_is_logged_and_the_next_one_comes(caplog: pytest.LogCaptureFixture) -> None:
    looks, again = [], threading.Event()

    def look() -> None:
        looks.append(len(looks))
        if len(looks) == 1:
            raise OSError("storage is away")
        again.set()

    with attended([Attendant(0.001, look)]):
        assert again.wait(timeout=60)
    assert "storage is away" in caplog.text


def test_nobody_looks_after_the_block() -> None:
    before = threading.active_count()
    with attended([Attendant(3600.0, lambda: None)]):
        assert threading.active_count() == before + 1
    assert threading.active_count() == before
