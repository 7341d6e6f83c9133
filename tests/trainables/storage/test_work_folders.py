"""Claims about trainables/storage/work_folders.py."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.other_hosts import ELSEWHERE
from trainables.storage import layout
from trainables.storage.owner import Owner
from trainables.storage.store import LocalStore
from trainables.storage.work_folders import ABANDONED_AFTER_S, has_ended, is_abandoned, is_of_this_process, write_owner

FOLDER = "preparing/abc"
HERE = Owner.here()
GONE = replace(HERE, started=HERE.started - 1000)


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path)


@pytest.mark.parametrize(
    ("owner", "silent_s", "abandoned", "ended"),
    [
        (HERE, 10 * ABANDONED_AFTER_S, False, False),
        (GONE, 0.0, True, True),
        (ELSEWHERE, ABANDONED_AFTER_S - 60, False, False),
        (ELSEWHERE, ABANDONED_AFTER_S + 60, True, False),
        (None, ABANDONED_AFTER_S - 60, False, False),
        (None, ABANDONED_AFTER_S + 60, True, False),
    ],
)
def test_a_process_in_sight_is_looked_for_and_of_any_other_the_silence_tells(
    store: LocalStore, owner: Owner | None, silent_s: float, abandoned: bool, ended: bool
) -> None:
    store.put(f"{FOLDER}/deep/file", b"x")
    if owner is not None:
        store.put(layout.owner_in(FOLDER), owner.to_bytes())
    now = store.now()
    for path in (store.root / FOLDER).rglob("*"):
        os.utime(path, (now - silent_s, now - silent_s))
    assert (is_abandoned(store, FOLDER), has_ended(store, FOLDER)) == (abandoned, ended)


def test_who_has_written_its_name_works_there(store: LocalStore) -> None:
    assert not is_of_this_process(store, FOLDER)
    write_owner(store, FOLDER)
    assert is_of_this_process(store, FOLDER)
    assert not has_ended(store, FOLDER)
