"""Claims about orchestrator/running/leases.py."""

from __future__ import annotations

from pathlib import Path

from orchestrator.running.leases import Leases
from tests.support.other_hosts import ELSEWHERE, take_over
from trainables.storage import layout
from trainables.storage.store import LocalStore


def test_take_one_of_several_is_held_takes_none_and_names_it(store: LocalStore) -> None:
    first, second = Leases(store), Leases(store)
    assert first.take(["b"]) is None
    assert second.take(["a", "b", "c"]) == "b"
    assert second.held == ()
    assert first.take(["a"]) is None


def test_release_all_others_may_take_them_at_once(store: LocalStore) -> None:
    first, second = Leases(store), Leases(store)
    assert first.take(["a", "b"]) is None
    first.release_all()
    assert second.take(["a", "b"]) is None


def test_renew_lease_taken_over_is_named_once_and_no_longer_held(store: LocalStore, tmp_path: Path) -> None:
    leases = Leases(store)
    assert leases.take(["a", "b"]) is None
    take_over(tmp_path, "a")
    assert leases.renew() == ["a"]
    assert leases.held == ("b",)
    assert leases.renew() == []
    leases.release_all()
    assert (store.lease_owner("a"), store.lease_owner("b")) == (ELSEWHERE, None)


def test_renew_storage_that_is_away_loses_nothing(store: LocalStore, tmp_path: Path) -> None:
    leases = Leases(store)
    assert leases.take(["a"]) is None
    (tmp_path / layout.LEASES).rename(tmp_path / "away")
    assert leases.renew() == []
    (tmp_path / "away").rename(tmp_path / layout.LEASES)
    assert leases.renew() == []
    assert leases.held == ("a",)
