"""Act as a run on another host: its process cannot be looked at from here, only its signs of life."""

from __future__ import annotations

import os
from pathlib import Path

from trainables.storage.owner import Owner
from trainables.storage.store import LocalStore

ELSEWHERE = Owner("elsewhere", 1, 1.0)


def lease_files(storage: Path) -> list[Path]:
    """List the files of all leases on a storage; none is left when all were given back."""
    return sorted(path for path in (storage / "leases").rglob("*") if path.is_file())


def fall_silent(storage: Path, seconds: float = 10**8) -> None:
    """Set the last sign of life of all leases so long ago."""
    for path in lease_files(storage):
        last = path.stat().st_mtime - seconds
        os.utime(path, (last, last))


def take_over(storage: Path, name: str) -> None:
    """Take a lease from its holder, as another host does after a silence."""
    for path in (storage / "leases" / name).iterdir():
        path.unlink()
    assert LocalStore(storage).lease(name, ELSEWHERE) is not None
