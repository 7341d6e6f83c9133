"""Claims about trainables/storage/abandoned_leases.py."""

from __future__ import annotations

from dataclasses import replace

from tests.support.other_hosts import ELSEWHERE
from trainables.storage.abandoned_leases import release_abandoned
from trainables.storage.owner import Owner
from trainables.storage.store import LocalStore

DEAD = replace(Owner.here(), pid=2**22 + 1)


def test_release_abandoned_leases_of_killed_processes_go_and_those_of_living_ones_stay(store: LocalStore) -> None:
    assert store.lease("trials/s/killed", DEAD) is not None
    assert store.lease("trials/s/living", Owner.here()) is not None
    assert store.lease("far", ELSEWHERE) is not None
    release_abandoned(store)
    assert store.leases() == {"trials/s/living", "far"}


def test_release_abandoned_below_a_folder_leaves_the_others(store: LocalStore) -> None:
    for name in ("runs/a/1", "runs/ab/2"):
        assert store.lease(name, DEAD) is not None
    release_abandoned(store, "runs/a")
    assert store.leases() == {"runs/ab/2"}
