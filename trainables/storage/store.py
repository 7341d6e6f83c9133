"""Storage that survives machines: atomic files and leases. A thing is done only if its file has its final name.

`Store` is the protocol; `LocalStore` implements it on a file system that all nodes see, by writing aside and renaming.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import psutil

LEASE_SILENCE_S = 60.0
"""A lease whose owner has not been heard of for this long may be taken over (DESIGN, section 5)."""


class Store(Protocol):
    """Where results live. Names are relative paths with forward slashes."""

    def put(self, name: str, data: bytes) -> None: ...
    def get(self, name: str) -> bytes: ...
    def exists(self, name: str) -> bool: ...
    def list(self, prefix: str) -> list[str]: ...
    def remove(self, name: str) -> None: ...
    def path(self, name: str) -> Path: ...
    def lease(self, name: str, owner: Owner) -> Lease | None: ...
    def lease_owner(self, name: str) -> Owner | None: ...


@dataclass(frozen=True)
class Owner:
    """Who holds a lease: a process on a host. `started` tells a process from a later one with its number."""

    host: str
    pid: int
    started: float
    nonce: str

    @staticmethod
    def here() -> Owner:
        """This process; every call gives another owner."""
        return Owner(socket.gethostname(), os.getpid(), psutil.Process().create_time(), secrets.token_hex(8))

    def is_gone(self) -> bool:
        """True only if the owner ran on this host and its process has ended."""
        if self.host != socket.gethostname():
            return False
        try:
            process = psutil.Process(self.pid)
            return abs(process.create_time() - self.started) > 2 or process.status() == psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return True


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
            _sync(aside)
            if aside.is_dir() and final.exists():
                shutil.rmtree(final)
            os.replace(aside, final)
            _sync_entry(final.parent)
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
        folder = self.path(prefix)
        files = (path for path in folder.rglob("*") if path.is_file() and not path.name.endswith(".aside"))
        return sorted(str(path.relative_to(self.root)) for path in files)

    def remove(self, name: str) -> None:
        """Remove a file or a folder; nothing happens if it is not there."""
        path = self.path(name)
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)

    def lease(self, name: str, owner: Owner) -> Lease | None:
        """Take the lease `name` for `owner`, or None while another one holds it.

        A lease is free if nobody holds it, if its holder has been silent for `LEASE_SILENCE_S`, or if the holder's
        process on this host is gone.
        """
        path = self.path(f"leases/{name}.json")
        path.parent.mkdir(parents=True, exist_ok=True)
        claim = path.parent / f".{path.name}.{owner.nonce}.aside"
        claim.write_text(json.dumps(vars(owner)))
        try:
            try:
                os.link(claim, path)  # fails if it exists: the one atomic test-and-set that NFS has, too
            except FileExistsError:
                if self.lease_owner(name) is not None:
                    return None
                stale = path.parent / f".{path.name}.{owner.nonce}.stale"
                try:
                    os.rename(path, stale)  # only one of several takers succeeds
                except FileNotFoundError:
                    return None
                stale.unlink(missing_ok=True)
                try:
                    os.link(claim, path)
                except FileExistsError:
                    return None
        finally:
            claim.unlink(missing_ok=True)
        taken = Lease(path, owner)
        return taken if taken.is_held() else None

    def lease_owner(self, name: str) -> Owner | None:
        """The living holder of a lease, or None if it is free to take."""
        path = self.path(f"leases/{name}.json")
        try:
            owner, age = Owner(**json.loads(path.read_text())), time.time() - path.stat().st_mtime
        except FileNotFoundError:
            return None
        return None if age > LEASE_SILENCE_S or owner.is_gone() else owner


@dataclass(frozen=True)
class Lease:
    """Proof of the right to produce something; give a sign of life with `renew` much more often than every 60 s."""

    path: Path
    owner: Owner

    def is_held(self) -> bool:
        """Whether it is still ours, read from storage."""
        try:
            return bool(json.loads(self.path.read_text())["nonce"] == self.owner.nonce)
        except FileNotFoundError:
            return False

    def renew(self) -> bool:
        """Give a sign of life. False if the lease was lost meanwhile."""
        if not self.is_held():
            return False
        os.utime(self.path)
        return True

    def release(self) -> None:
        """Give it back, if it is still ours."""
        if self.is_held():
            self.path.unlink(missing_ok=True)


def get_json(store: Store, name: str) -> dict[str, Any] | None:
    """A JSON object from storage, or None if it is not there."""
    return json.loads(store.get(name)) if store.exists(name) else None


def put_json(store: Store, name: str, value: object) -> None:
    store.put(name, json.dumps(value, indent=1, sort_keys=True).encode())


def _sync(path: Path) -> None:
    """Flush to the disk what a rename is about to make visible: a file, or a folder with its files."""
    if path.is_dir():
        for child in path.iterdir():
            if child.is_file():
                _sync_entry(child)
    _sync_entry(path)


def _sync_entry(path: Path) -> None:
    """Flush one file, or the list of names of one folder: not what lies in it, which may be others' and unfinished."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
