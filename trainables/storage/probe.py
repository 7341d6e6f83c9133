"""Try out on a folder what storage needs of its file system, before anything is read or trained.

Shared folders are often no POSIX file systems: object stores behind FUSE cannot rename folders, some network shares
cannot append or map files. Each need is tried with what the storage itself does, and its effect is looked at.
"""

from __future__ import annotations

import mmap
import os
import secrets
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal, NamedTuple

from search_spaces.errors import InputError
from search_spaces.full_storage import disk_trouble, is_full
from trainables.storage import layout
from trainables.storage.flush import flush_entry
from trainables.storage.lease import OCCUPIED
from trainables.storage.store import Store

PROBE_BYTES = 16 * 1024**2
"""Most that is written to see whether there is space."""

PAGE_BYTES = 4096
"""Written to see whether a file system takes anything that says itself that it has too little space."""

WAY_OUT = "Give a folder on a local disk, NFS or another POSIX file system with --storage or ABLATE_STORAGE."


def require_capable(root: Path) -> None:
    """Try what results, leases, spools and arrays need on a storage root; what was tried is removed again.

    Raises:
        InputError: naming the first need that is not met, and what the file system says.
        OSError: if the file system is full: it may have everything else.
    """
    folder = root / "scratch" / f".probe-{secrets.token_hex(6)}.aside"
    need = "making a folder"
    try:
        folder.mkdir(parents=True)
        for need, attempt in NEEDS.items():
            if not attempt(folder):
                raise InputError(_law(need, "the effect is not there"), place=str(root), way_out=WAY_OUT)
    except OSError as error:
        if is_full(error):
            raise
        law = _law(need, error.strerror or type(error).__name__)
        raise InputError(law, place=str(root), way_out=WAY_OUT) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class StorageTrouble(NamedTuple):
    """What is wrong with a storage that cannot be written to."""

    kind: Literal["full", "away"]
    """Without space, or anything else: gone, read-only, of another user, losing what is written."""
    text: str
    """What is wrong, in half a sentence."""


def storage_trouble(store: Store, size_bytes: int) -> str | None:
    """Say what `trouble_of` finds wrong with a storage; None if nothing is."""
    trouble = trouble_of(store, size_bytes)
    return None if trouble is None else trouble.text


def trouble_of(store: Store, size_bytes: int) -> StorageTrouble | None:
    """Try whether storage can be written to; what was tried is removed again.

    Args:
        store: the storage.
        size_bytes: that must be free. Up to `PROBE_BYTES` of them are written, as a quota shows in no other way; but
            only a page where the file system says that it has less.

    Returns:
        What is wrong; None if nothing is.
    """
    name, place = layout.scratch(f"probe-{secrets.token_hex(6)}"), store.place(".")
    try:
        try:
            with store.writing(name) as path:
                free = shutil.disk_usage(path.parent).free
                tried_bytes = min(size_bytes, PROBE_BYTES if free >= size_bytes else PAGE_BYTES)
                path.write_bytes(os.urandom(tried_bytes))
            whole = store.facts(name).size
        finally:
            store.remove(name)
    except OSError as error:
        return StorageTrouble("full" if is_full(error) else "away", disk_trouble(error, place))
    if whole != tried_bytes:
        return StorageTrouble("away", f"{place} does not keep what is written to it")
    if free < size_bytes:
        text = f"no space is left at {place} ({free / 1e9:.2f} GB are free, {size_bytes / 1e9:.2f} GB are needed)"
        return StorageTrouble("full", text)
    return None


def _law(need: str, reason: str) -> str:
    return f"the file system of the storage must allow {need}, but {reason}"


def _write_and_flush(folder: Path) -> bool:
    file = folder / "file"
    file.write_bytes(b"one")
    flush_entry(file)
    flush_entry(folder)
    return file.read_bytes() == b"one"


def _replace_file(folder: Path) -> bool:
    old, new = folder / "old", folder / "new"
    old.write_bytes(b"old")
    new.write_bytes(b"new")
    os.replace(new, old)
    return old.read_bytes() == b"new" and not new.exists()


def _rename_folder(folder: Path) -> bool:
    before, after = folder / "before", folder / "after"
    before.mkdir()
    (before / "file").write_bytes(b"one")
    os.rename(before, after)
    return (after / "file").read_bytes() == b"one" and not before.exists()


def _refuse_occupied_folder(folder: Path) -> bool:
    """Check that one of two takers is refused: what leases rest on."""
    first, second = folder / "first", folder / "second"
    for each in (first, second):
        each.mkdir()
        (each / each.name).write_bytes(b"one")
    try:
        os.rename(second, first)
    except OSError as error:
        if error.errno not in OCCUPIED:
            raise
        return [entry.name for entry in first.iterdir()] == ["first"]
    return False


def _append(folder: Path) -> bool:
    file = folder / "lines"
    for line in (b"one\n", b"two\n"):
        with file.open("ab") as appended:
            appended.write(line)
    return file.read_bytes() == b"one\ntwo\n"


def _map(folder: Path) -> bool:
    file = folder / "array"
    file.write_bytes(b"array")
    with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        return mapped[:] == b"array"


def _set_time(folder: Path) -> bool:
    file = folder / "renewed"
    file.write_bytes(b"")
    os.utime(file, (1, 1))
    os.utime(file)
    return file.stat().st_mtime > 1


def _list_and_remove(folder: Path) -> bool:
    gone = folder / "gone"
    gone.mkdir()
    (gone / "file").write_bytes(b"one")
    names = os.listdir(gone)
    (gone / "file").unlink()
    gone.rmdir()
    return names == ["file"] and not gone.exists()


NEEDS: Mapping[str, Callable[[Path], bool]] = {
    "writing a file": _write_and_flush,
    "renaming a file over another": _replace_file,
    "renaming a folder with files in it": _rename_folder,
    "leases (renaming a folder over one that is not empty must be refused)": _refuse_occupied_folder,
    "appending to a file": _append,
    "mapping a file into memory": _map,
    "setting the time of a file": _set_time,
    "removing files and folders": _list_and_remove,
}
"""What is tried, in words that complete "must allow ..."."""
