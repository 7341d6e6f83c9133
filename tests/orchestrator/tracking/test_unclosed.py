"""Claims about orchestrator/tracking/unclosed.py."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.tracking.unclosed import has_unclosed, mark_unclosed, remove_closed
from trainables.storage import layout
from trainables.storage.owner import Owner
from trainables.storage.store import LocalStore

STUDY = "study"


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path)


def driver(store: LocalStore, monkeypatch: pytest.MonkeyPatch, host: str, *, is_living: bool) -> str:
    """Let a driver on a host mark that it has runs open, and be killed or go on; returns its mark."""
    owner = replace(Owner.here(), host=host)
    if is_living:
        assert store.lease(layout.run_lease(STUDY, host), owner)
    with monkeypatch.context() as patched:
        patched.setattr(Owner, "here", lambda: owner)
        return mark_unclosed(store, STUDY)


def test_each_of_two_drivers_has_a_mark_of_its_own(store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = (driver(store, monkeypatch, host, is_living=True) for host in ("first", "second"))
    remove_closed(store, STUDY, first)
    assert store.list(layout.unclosed_runs(STUDY)) == [second]
    assert not has_unclosed(store, STUDY), "a living driver closes its runs itself"


def test_who_closes_all_runs_removes_the_marks_of_drivers_that_were_killed(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver(store, monkeypatch, "killed", is_living=False)
    assert has_unclosed(store, STUDY)
    remove_closed(store, STUDY, driver(store, monkeypatch, "next", is_living=True))
    assert not store.list(layout.unclosed_runs(STUDY))


def test_a_mark_that_its_driver_removes_meanwhile_is_of_nobody(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark = driver(store, monkeypatch, "ending", is_living=True)
    listed = store.list(layout.unclosed_runs(STUDY))
    store.remove(mark)
    monkeypatch.setattr(store, "list", lambda prefix: listed if prefix == layout.unclosed_runs(STUDY) else [])
    assert not has_unclosed(store, STUDY)
