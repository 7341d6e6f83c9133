"""Claims about trying out a storage; file systems that lack something are imitated by breaking one operation."""

from __future__ import annotations

import errno
import mmap
import os
from pathlib import Path
from typing import Any, NoReturn

import pytest

from search_spaces.errors import InputError
from trainables.storage.probe import NEEDS, StorageTrouble, require_capable, storage_trouble, trouble_of
from trainables.storage.store import LocalStore


def test_require_capable_leaves_nothing_behind(tmp_path: Path) -> None:
    require_capable(tmp_path)
    assert [path for path in tmp_path.rglob("*") if path.name != "scratch"] == []


def refuse(*arguments: Any, **options: Any) -> NoReturn:
    raise PermissionError(errno.EPERM, "Operation not permitted")


@pytest.mark.parametrize(
    ("where", "operation", "need"),
    [
        (os, "replace", "renaming a file over another"),
        (os, "rename", "renaming a folder"),
        (mmap, "mmap", "mapping a file"),
        (os, "utime", "setting the time"),
        (os, "fsync", "writing a file"),
        (os, "mkdir", "making a folder"),
        (os, "rmdir", "removing files and folders"),
    ],
)
def test_require_capable_an_operation_that_is_not_permitted_is_named(
    where: Any, operation: str, need: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(where, operation, refuse)
    with pytest.raises(InputError, match=rf"must allow {need}.*Operation not permitted(?s:.*)--storage") as refused:
        require_capable(tmp_path)
    assert refused.value.place == str(tmp_path)


def test_require_capable_a_rename_that_puts_one_folder_into_the_place_of_another_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def rename(source: Path, target: Path) -> None:
        if target.exists():
            for entry in [*target.iterdir()]:
                entry.unlink()
        source.replace(target)

    monkeypatch.setattr(os, "rename", rename)
    with pytest.raises(InputError, match=r"must allow leases .*the effect is not there"):
        require_capable(tmp_path)


def test_require_capable_hard_links_are_not_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "link", refuse)
    monkeypatch.setattr(os, "symlink", refuse)
    require_capable(tmp_path)


def test_require_capable_a_full_file_system_lacks_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: Any) -> NoReturn:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space left"):
        require_capable(tmp_path)


def test_needs_complete_the_sentence() -> None:
    assert all(need.split()[0].endswith("ing") or need.startswith("leases") for need in NEEDS)


def test_storage_trouble_a_storage_that_can_be_written_to_has_none_and_keeps_nothing(tmp_path: Path) -> None:
    assert storage_trouble(LocalStore(tmp_path), 10_000) is None
    assert LocalStore(tmp_path).list("scratch") == []


def test_storage_trouble_too_little_space_says_how_much_is_needed(tmp_path: Path) -> None:
    trouble = storage_trouble(LocalStore(tmp_path), 10**18)
    assert trouble is not None
    assert trouble.startswith(f"no space is left at {tmp_path} (")
    assert "1000000000.00 GB are needed" in trouble


def test_storage_trouble_a_root_that_is_gone_is_away_and_is_not_made_anew(tmp_path: Path) -> None:
    root = tmp_path / "storage"
    root.mkdir()
    store = LocalStore(root)
    root.rename(tmp_path / "away")
    assert storage_trouble(store, 1) == f"{root} is away (the storage root is gone)"
    root.mkdir()  # an empty mount point
    assert storage_trouble(store, 1) == f"{root} is away (the storage root is gone)"
    assert list(root.iterdir()) == []
    root.rmdir()
    (tmp_path / "away").rename(root)
    assert storage_trouble(store, 1) is None


@pytest.mark.parametrize(
    ("error", "kind"), [(errno.ENOSPC, "full"), (errno.EDQUOT, "full"), (errno.EIO, "away"), (errno.EROFS, "away")]
)
def test_trouble_of_a_storage_that_is_full_is_told_from_any_other(
    error: int, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: Any) -> NoReturn:
        raise OSError(error, os.strerror(error))

    monkeypatch.setattr(os, "fsync", fail)
    trouble = trouble_of(LocalStore(tmp_path), 1)
    assert isinstance(trouble, StorageTrouble)
    assert trouble.kind == kind
    assert os.strerror(error) in trouble.text


def test_trouble_of_too_little_space_is_of_a_full_storage_and_next_to_nothing_is_written_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    write_bytes = Path.write_bytes
    monkeypatch.setattr(Path, "write_bytes", lambda path, data: (sizes.append(len(data)), write_bytes(path, data))[1])
    trouble = trouble_of(LocalStore(tmp_path), 10**18)
    assert trouble is not None
    assert trouble.kind == "full"
    assert sizes == [4096]
