"""Storage that survives machines: atomic files and leases. A thing is done only if its file has its final name.

`Store` is the protocol; `LocalStore` implements it on a file system that all nodes see, by writing aside and renaming.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePath
from typing import Protocol

from trainables.storage import layout
from trainables.storage.flush import flush_entry, flush_tree
from trainables.storage.lease import FolderLease, Lease, Owner, lease_owner, take_lease


class Store(Protocol):
    """Where results live. Names are relative paths with forward slashes."""

    def put(self, name: str, data: bytes) -> None: ...
    def get(self, name: str) -> bytes: ...
    def exists(self, name: str) -> bool: ...
    def list(self, prefix: str) -> list[str]: ...
    def remove(self, name: str) -> None: ...
    def path(self, name: str) -> Path: ...
    def lease(self, name: str, owner: Owner) -> Lease | None:
        """Take the lease `name` for `owner`, or None while another one holds it (`trainables.storage.lease`)."""
        ...

    def lease_owner(self, name: str) -> Owner | None:
        """Read who holds a lease; None if it is free to take."""
        ...

    def leases(self) -> set[str]:
        """Name the leases that somebody has taken and not given back, whether the holder is alive or not."""
        ...


class LocalStore:
    """A store in a folder of a (shared) file system."""

    def __init__(self, root: Path):
        self.root = Path(root)
        if not self.root.is_absolute():
            raise ValueError(f"the storage root must be absolute, but got {str(root)!r}")

    def path(self, name: str) -> Path:
        return self.root / name

    def put(self, name: str, data: bytes) -> None:
        """Write a whole file or none: readers see the old content or the new one."""
        with self.aside(name) as aside:
            aside.write_bytes(data)

    @contextmanager
    def aside(self, name: str) -> Iterator[Path]:
        """A path to write a file or folder to; it gets its final name when the block ends without an error."""
        final = self.path(name)
        final.parent.mkdir(parents=True, exist_ok=True)
        aside = final.parent / f".{final.name}.{secrets.token_hex(6)}.aside"
        try:
            yield aside
            flush_tree(aside)
            if aside.is_dir() and final.exists():
                shutil.rmtree(final)
            os.replace(aside, final)
            flush_entry(final.parent)
        finally:
            if aside.is_dir():
                shutil.rmtree(aside)
            else:
                aside.unlink(missing_ok=True)

    def get(self, name: str) -> bytes:
        return self.path(name).read_bytes()

    def exists(self, name: str) -> bool:
        return self.path(name).exists()

    def list(self, prefix: str) -> list[str]:
        """Names of all finished files below a folder, sorted."""
        names: list[str] = []
        for folder, folders, files in os.walk(self.path(prefix)):  # passes over what others remove meanwhile
            folders[:] = [one for one in folders if not one.endswith(".aside")]
            inside = PurePath(folder).relative_to(self.root)
            names += (str(inside / file) for file in files if not file.endswith(".aside"))
        return sorted(names)

    def remove(self, name: str) -> None:
        """Remove a file or a folder; nothing happens if it is not there."""
        path = self.path(name)
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)

    def lease(self, name: str, owner: Owner) -> FolderLease | None:
        return take_lease(self.path(layout.lease_folder(name)), owner)

    def lease_owner(self, name: str) -> Owner | None:
        return lease_owner(self.path(layout.lease_folder(name)))

    def leases(self) -> set[str]:
        return {str(PurePath(file).parent.relative_to(layout.LEASES)) for file in self.list(layout.LEASES)}
