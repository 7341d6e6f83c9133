"""The contract of trainables/storage/store.py, over every implementation; and how LocalStore keeps its files."""

from __future__ import annotations

import contextlib
import errno
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from search_spaces.errors import InputError
from tests.support.copying_store import CopyingStore
from trainables.storage.owner import Owner
from trainables.storage.store import ASIDE, LocalStore, Store

STORES: dict[str, Callable[[Path], Store]] = {"local": LocalStore, "copying": CopyingStore}
HERE = Owner.here()


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    return STORES[request.param](tmp_path)


@pytest.fixture
def local(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path)


class TestEveryStore:
    def test_put_then_get_returns_the_bytes_and_lists_the_name(self, store: Store) -> None:
        store.put("a/b.bin", b"old")
        store.put("a/b.bin", b"x")
        assert (store.get("a/b.bin"), store.list("a"), store.exists("a/b.bin")) == (b"x", ["a/b.bin"], True)
        assert store.facts("a/b.bin").size == 1

    def test_what_is_not_there_is_said_alike(self, store: Store) -> None:
        assert not store.exists("a/b")
        assert (store.list("a"), store.folders("a")) == ([], ())
        store.remove("a/b")
        for look in (store.get, store.facts, store.open):
            with pytest.raises(FileNotFoundError):
                look("a/b")

    def test_list_names_files_at_any_depth_and_folders_those_directly_inside(self, store: Store) -> None:
        for name in ("a/z/deep/1", "a/b/1", "a/file", "other/1"):
            store.put(name, b"")
        assert store.list("a") == ["a/b/1", "a/file", "a/z/deep/1"]
        assert store.folders("a") == ("b", "z")
        assert store.exists("a/z/deep")

    def test_facts_in_a_folder_are_those_of_its_files_one_by_one(self, store: Store) -> None:
        for name in ("a/b/1", "a/b/2"):
            store.put(name, name.encode())
        assert store.facts_in("a/b", ["2", "1"]) == [store.facts("a/b/2"), store.facts("a/b/1")]
        with pytest.raises(FileNotFoundError):
            store.facts_in("a/b", ["1", "3"])
        with pytest.raises(InputError):
            store.facts_in("a/b", ["../1"])

    def test_remove_of_a_folder_takes_all_that_is_in_it_and_nothing_beside_it(self, store: Store) -> None:
        for name in ("a/b/1", "a/b/c/2", "a/bc"):
            store.put(name, b"")
        store.remove("a/b")
        assert (store.list("a"), store.exists("a/b")) == (["a/bc"], False)

    def test_remove_empty_leaves_what_anybody_has_begun_to_write_there(self, store: Store) -> None:
        store.remove_empty("never/there")
        with store.writing("a/1") as aside:
            aside.write_bytes(b"half")
            store.remove_empty("a")
        assert store.get("a/1") == b"half"
        store.remove("a/1")
        store.remove_empty("a")
        assert not store.exists("a")

    def test_walk_finds_every_file_unfinished_ones_too_but_for_folders_that_are_left_out(self, store: Store) -> None:
        for name in ("a/b/1", f"a/.c.12{ASIDE}/2", "skip/3", "4"):
            store.put(name, b"xy")
        assert {(entry.name, entry.size) for entry in store.walk("", without=("skip",))} == {
            ("a/b/1", 2),
            (f"a/.c.12{ASIDE}/2", 2),
            ("4", 2),
        }
        assert [entry.name for entry in store.walk("a/b")] == ["a/b/1"]
        assert list(store.walk("nothing")) == []

    def test_touch_makes_a_file_young_and_leaves_its_bytes(self, store: Store) -> None:
        store.put("a", b"x")
        before = store.facts("a").modified
        store.touch("a")
        assert (store.get("a"), store.facts("a").modified >= before) == (b"x", True)
        with pytest.raises(FileNotFoundError):
            store.touch("b")

    def test_now_is_the_clock_of_the_files(self, store: Store) -> None:
        store.put("a", b"")
        assert store.facts("a").modified <= store.now()

    @pytest.mark.parametrize("name", ["file", "folder"])
    def test_move_to_a_name_that_is_taken_is_refused_and_changes_nothing(self, store: Store, name: str) -> None:
        for kept in ("file", "other-file", "folder/1", "other-folder/2"):
            store.put(kept, kept.encode())
        with pytest.raises(OSError, match=r"exists|not empty"):
            store.move(name, f"other-{name}")
        assert [store.get(kept) for kept in ("other-file", "file")] == [b"other-file", b"file"]
        assert (store.list("folder"), store.list("other-folder")) == (["folder/1"], ["other-folder/2"])

    def test_move_takes_a_folder_to_its_new_name(self, store: Store) -> None:
        store.put("a/b/1", b"x")
        store.move("a/b", "new/place")
        assert (store.list("a"), store.list("new"), store.get("new/place/1")) == ([], ["new/place/1"], b"x")

    def test_file_written_that_fails_leaves_the_old_content_and_nothing_beside_it(self, store: Store) -> None:
        store.put("a/b.bin", b"old")

        def write_half() -> None:
            with store.writing("a/b.bin") as path:
                path.write_bytes(b"ha")
                raise OSError("disk full")

        with pytest.raises(OSError, match="disk full"):
            write_half()
        assert (store.get("a/b.bin"), store.list("a")) == (b"old", ["a/b.bin"])

    def test_folder_written_appears_whole_and_replaces_the_old_one(self, store: Store) -> None:
        for content, name in (("first", "one"), ("second", "two")):
            with store.writing("folder") as folder:
                (folder / "deep").mkdir(parents=True)
                (folder / "deep/file").write_text(content)
                (folder / name).write_text(content)
                assert not store.exists("folder/deep/file") or store.get("folder/deep/file") == b"first"
        assert store.list("folder") == ["folder/deep/file", "folder/two"]
        assert store.get("folder/deep/file") == b"second"

    def test_list_shows_nothing_that_is_still_being_written(self, store: Store) -> None:
        with store.writing("a/folder") as folder, store.writing("a/file") as file:
            folder.mkdir()
            (folder / "half").write_bytes(b"x")
            file.write_bytes(b"x")
            with store.working_folder(f"a/next{ASIDE}") as aside:
                (aside / "half").write_bytes(b"x")
            assert (store.list("a"), store.folders("a")) == ([], ())
        assert store.list("a") == ["a/file", "a/folder/half"]

    def test_reading_gives_a_path_to_a_file_or_a_folder(self, store: Store) -> None:
        store.put("a/b/1", b"x")
        assert store.reading("a/b/1").read_bytes() == b"x"
        assert (store.reading("a") / "b/1").read_bytes() == b"x"
        assert not store.reading("a/absent").exists()

    def test_working_folder_holds_what_is_stored_and_stores_what_was_changed(self, store: Store) -> None:
        for name in ("kept", "changed", "removed"):
            store.put(f"work/{name}", b"old")
        with store.working_folder("work") as folder:
            assert sorted(path.name for path in folder.iterdir()) == ["changed", "kept", "removed"]
            (folder / "changed").write_bytes(b"new")
            (folder / "removed").unlink()
            (folder / "sub").mkdir()
            (folder / "sub/added").write_bytes(b"new")
        assert {name: store.get(name) for name in store.list("work")} == {
            "work/changed": b"new",
            "work/kept": b"old",
            "work/sub/added": b"new",
        }

    def test_two_that_work_in_one_folder_both_leave_their_files(self, store: Store) -> None:
        with store.working_folder("work") as first, store.working_folder("work") as second:
            (first / "first").write_bytes(b"1")
            (second / "second").write_bytes(b"2")
        assert store.list("work") == ["work/first", "work/second"]

    def test_appended_pieces_are_read_from_any_offset_while_the_file_is_open(self, store: Store) -> None:
        with store.append("a/log") as log:
            log.write(b"one\n")
            with store.append("a/log") as second:
                second.write(b"two\n")
            log.write(b"three\n")
            with store.open("a/log") as file:
                file.seek(4)
                assert file.read() == b"two\nthree\n"
            assert store.facts("a/log").size == 14

    def test_lease_has_one_holder_and_is_listed_until_it_is_released(self, store: Store) -> None:
        lease = store.lease("trials/study/a", HERE)
        assert lease is not None
        assert lease.renew()
        assert store.lease("trials/study/a", HERE) is None
        assert (store.lease_owner("trials/study/a"), store.leases()) == (HERE, {"trials/study/a"})
        lease.release()
        assert not lease.is_held()
        assert (store.lease_owner("trials/study/a"), store.leases()) == (None, set())


def test_a_root_that_cannot_be_looked_at_is_not_taken_for_one_that_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, look = LocalStore(tmp_path), Path.stat

    def stat(path: Path, *, follow_symlinks: bool = True) -> os.stat_result:
        if path == tmp_path:
            raise OSError(errno.ESTALE, "Stale file handle", str(path))
        return look(path, follow_symlinks=follow_symlinks)

    monkeypatch.setattr(Path, "stat", stat)
    with pytest.raises(OSError, match="Stale file handle"):
        store.put("new/file", b"x")


def test_local_store_with_a_relative_root_is_refused() -> None:
    with pytest.raises(ValueError, match="must be absolute"):
        LocalStore(Path("here"))


def test_local_store_keeps_a_file_under_its_own_name_and_nothing_beside_it(local: LocalStore) -> None:
    local.put("a/b.bin", b"x")
    with contextlib.suppress(OSError), local.writing("a/b.bin") as path:
        path.write_bytes(b"ha")
        raise OSError("disk full")
    assert os.listdir(local.root / "a") == ["b.bin"]
    assert local.reading("a/b.bin") == local.root / "a/b.bin"


def test_local_store_says_its_paths_to_people_and_file_uris_to_programs(local: LocalStore) -> None:
    assert local.place("a/b") == f"{local.root}/a/b"
    assert local.place(".") == str(local.root)
    assert local.uri("a/b") == f"file://{local.root}/a/b"


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE, errno.EACCES, errno.EMFILE])
def test_local_store_whose_folder_cannot_be_read_is_not_taken_for_an_empty_one(
    number: int, local: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    local.put("a/b/c", b"x")

    def refusing(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(path: Any, *arguments: Any, **named: Any) -> Any:
            if str(path).endswith("/a/b"):
                raise OSError(number, os.strerror(number), str(path))
            return function(path, *arguments, **named)

        return call

    with monkeypatch.context() as failing:
        for name in ("stat", "scandir"):
            failing.setattr(os, name, refusing(getattr(os, name)))
        for look in (local.exists, local.list, local.folders):
            with pytest.raises(OSError, match=re.escape(os.strerror(number))):
                look("a/b")
        with pytest.raises(OSError, match=re.escape(os.strerror(number))):
            local.list("a")
    assert (local.exists("a/b/c/below a file"), local.list("a/b/c"), local.folders("a/b/c")) == (False, [], ())


def test_local_store_passes_over_folders_that_bear_no_name_of_this_program(local: LocalStore) -> None:
    for folder in ("study", "study copy", ".ipynb_checkpoints", "@eaDir"):
        local.put(f"studies/{folder}/plan.json", b"{}")
    assert local.folders("studies") == ("@eaDir", "study")


def _write_folder(local: LocalStore, content: str) -> None:
    with local.writing("a/folder") as path:
        path.mkdir()
        (path / content).touch()


def _renaming(monkeypatch: pytest.MonkeyPatch, before_publishing: Callable[[Path], None]) -> None:
    rename = Path.rename

    def renamed(self: Path, target: Path) -> Path:
        if target.name == "folder" and before_publishing is not None:
            monkeypatch.setattr(Path, "rename", rename)
            before_publishing(target)
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", renamed)


def test_local_store_replaces_a_folder_by_the_new_one_and_leaves_nothing_beside_it(local: LocalStore) -> None:
    for content in ("old", "new"):
        _write_folder(local, content)
    assert (local.list("a"), os.listdir(local.root / "a")) == (["a/folder/new"], ["folder"])


def test_local_store_that_cannot_publish_a_folder_keeps_the_old_one(
    local: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(target: Path) -> None:
        raise OSError(errno.EIO, "Input/output error")

    _write_folder(local, "old")
    _renaming(monkeypatch, fail)
    with pytest.raises(OSError, match="Input/output error"):
        _write_folder(local, "new")
    assert (local.list("a"), os.listdir(local.root / "a")) == (["a/folder/old"], ["folder"])


def test_local_store_keeps_the_whole_folder_that_another_process_publishes_meanwhile(
    local: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def publish(target: Path) -> None:
        target.mkdir()
        (target / "other's").touch()

    _write_folder(local, "old")
    _renaming(monkeypatch, publish)
    _write_folder(local, "new")
    assert (local.list("a"), os.listdir(local.root / "a")) == (["a/folder/other's"], ["folder"])


def test_local_store_that_is_killed_while_it_replaces_a_folder_leaves_no_mixture(
    local: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[set[str]] = []

    def look(target: Path) -> None:
        seen.append({path.name for path in (local.root / "a").rglob("*") if path.is_file()})
        assert not target.exists()

    _write_folder(local, "old")
    _renaming(monkeypatch, look)
    _write_folder(local, "new")
    assert seen == [{"old", "new"}]
