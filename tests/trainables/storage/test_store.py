from __future__ import annotations

import os
from pathlib import Path

import pytest

from trainables.storage.store import LocalStore


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


def test_list_shows_neither_a_file_nor_a_folder_that_is_still_written_aside(store: LocalStore) -> None:
    with store.aside("a/folder") as folder, store.aside("a/file") as file:
        folder.mkdir()
        (folder / "half").write_bytes(b"x")
        file.write_bytes(b"x")
        assert store.list("a") == []
    assert store.list("a") == ["a/file", "a/folder/half"]
