from __future__ import annotations

import json
import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from trainables.storage.store import LEASE_SILENCE_S, LocalStore, Owner


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path)


def test_store_with_a_relative_root_is_refused() -> None:
    with pytest.raises(ValueError, match="must be absolute"):
        LocalStore(Path("here"))


def test_put_then_get_returns_the_bytes_and_lists_the_name(store: LocalStore) -> None:
    store.put("a/b.bin", b"x")
    assert (store.get("a/b.bin"), store.list("a"), store.exists("a/b.bin")) == (b"x", ["a/b.bin"], True)


def test_a_write_that_fails_leaves_the_old_content_and_nothing_beside_it(store: LocalStore) -> None:
    store.put("a/b.bin", b"old")

    def write_half() -> None:
        with store.aside("a/b.bin") as aside:
            aside.write_bytes(b"ha")
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write_half()
    assert store.get("a/b.bin") == b"old"
    assert os.listdir(store.path("a")) == ["b.bin"]


def test_a_folder_written_aside_appears_whole_and_replaces_the_old_one(store: LocalStore) -> None:
    for content in ("first", "second"):
        with store.aside("folder") as aside:
            aside.mkdir()
            (aside / "file").write_text(content)
            assert not store.exists("folder/file") or store.get("folder/file") == b"first"
    assert store.get("folder/file") == b"second"


def test_a_lease_is_held_by_one_owner_until_it_is_released(store: LocalStore) -> None:
    first = store.lease("stage-1", Owner.here())
    assert first is not None
    assert store.lease("stage-1", Owner.here()) is None
    first.release()
    assert store.lease("stage-1", Owner.here()) is not None


def test_a_lease_whose_process_is_gone_is_taken_over_at_once(store: LocalStore) -> None:
    dead = replace(Owner.here(), pid=2**22 + 1)
    assert store.lease("stage-1", dead) is not None
    taken = store.lease("stage-1", Owner.here())
    assert taken is not None
    assert taken.is_held()


def test_a_reused_process_number_does_not_keep_a_dead_owners_lease(store: LocalStore) -> None:
    before = replace(Owner.here(), started=Owner.here().started - 1000)
    assert store.lease("stage-1", before) is not None
    assert store.lease_owner("stage-1") is None


def test_a_silent_lease_of_another_host_is_taken_over_and_its_owner_cannot_renew_it(store: LocalStore) -> None:
    elsewhere = store.lease("stage-1", replace(Owner.here(), host="elsewhere"))
    assert elsewhere is not None
    assert store.lease("stage-1", Owner.here()) is None
    silent_since = time.time() - LEASE_SILENCE_S - 1
    os.utime(elsewhere.path, (silent_since, silent_since))
    assert store.lease("stage-1", Owner.here()) is not None
    assert not elsewhere.renew()
    elsewhere.release()
    assert store.lease_owner("stage-1") is not None


def test_leases_leave_no_files_beside_them(store: LocalStore) -> None:
    owner = Owner.here()
    store.lease("stage-1", owner)
    store.lease("stage-1", Owner.here())
    assert os.listdir(store.path("leases")) == ["stage-1.json"]
    assert json.loads(store.get("leases/stage-1.json"))["nonce"] == owner.nonce
