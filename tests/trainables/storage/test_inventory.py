"""An inventory counts every file once, also while others write and remove, and names what is not this program's."""

from __future__ import annotations

import threading
from pathlib import Path

from trainables.storage import layout
from trainables.storage.inventory import SHOWN_UNKNOWN, take_inventory
from trainables.storage.store import LocalStore


def test_every_file_is_counted_in_one_class(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    names = (layout.stage_result("k"), f"{layout.checkpoints('k')}/1/a", "a/b/c/d", ".x.ab.aside", layout.DIGESTS)
    for name in names:
        store.put(name, b"12345")
    taken = take_inventory(store)
    assert {kind: amount.files for kind, amount in taken.amounts.items() if amount.files} == {
        "results": 1,
        "checkpoints": 1,
        "asides": 1,
        "caches": 1,
        "unknown": 1,
    }
    assert taken.size_bytes == 5 * len(names)
    assert (taken.unknown, taken.foreign) == (("a/b/c/d",), {"a/b"})
    assert taken.units[layout.stage_folder("k")].size_bytes == 5


def test_the_users_own_data_are_not_looked_at(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    store.put(f"{layout.SOURCES}/images/1.png", b"x")
    taken = take_inventory(store)
    assert (taken.has_sources, taken.size_bytes, taken.unknown) == (True, 0, ())


def test_of_files_that_are_not_known_all_are_counted_and_some_named(tmp_path: Path) -> None:
    for number in range(SHOWN_UNKNOWN + 5):
        (tmp_path / f"{number}.txt").touch()
    taken = take_inventory(LocalStore(tmp_path))
    assert (taken.amounts["unknown"].files, len(taken.unknown)) == (SHOWN_UNKNOWN + 5, SHOWN_UNKNOWN)


def test_empty_folders_that_a_kill_has_left_are_units(tmp_path: Path) -> None:
    for name in ("stages/k/checkpoints/writing.aside", "leases/k", "scratch/n", "evaluations/k/b.answers", "stages/j"):
        (tmp_path / name).mkdir(parents=True)
    assert set(take_inventory(LocalStore(tmp_path)).units) == {
        "stages/k/checkpoints/writing.aside",
        "leases/k",
        "scratch/n",
        "evaluations/k/b.answers",
    }


def test_files_that_vanish_during_the_walk_are_left_out(tmp_path: Path) -> None:
    store, stop = LocalStore(tmp_path), threading.Event()
    store.put(layout.DIGESTS, b"{}")

    def churn() -> None:
        while not stop.is_set():
            for step in range(3):
                store.put(f"{layout.checkpoints('k')}/{step}/state", b"x")
            store.remove(layout.checkpoints("k"))

    thread = threading.Thread(target=churn)
    thread.start()
    try:
        counts = [take_inventory(store).amounts["caches"].files for _ in range(200)]
    finally:
        stop.set()
        thread.join()
    assert counts == [1] * 200
