"""Say when the embedded tracking database lies where SQLite is not safe: on a file system of several machines."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

import psutil

from trainables.storage import layout

SHARED = frozenset(
    [
        "9p",
        "afs",
        "beegfs",
        "ceph",
        "cifs",
        "fhgfs",
        "glusterfs",
        "gpfs",
        "lustre",
        "nfs",
        "nfs4",
        "ocfs2",
        "orangefs",
        "panfs",
        "pvfs2",
        "smb3",
        "smbfs",
        "wekafs",
    ]
)
"""Kinds of file systems that several machines mount. Of FUSE nobody can tell, so all of it counts."""


class Mount(NamedTuple):
    """A file system that is mounted."""

    folder: str
    kind: str


def mounts() -> list[Mount]:
    """List the file systems that are mounted on this machine."""
    return [Mount(part.mountpoint, part.fstype) for part in psutil.disk_partitions(all=True)]


def shared_mount(folder: Path, mounted: Iterable[Mount]) -> Mount | None:
    """Find the file system of a folder, if several machines may have mounted it; else None."""
    around = [mount for mount in mounted if folder.is_relative_to(mount.folder)]
    if not around:
        return None
    own = max(reversed(around), key=lambda mount: len(Path(mount.folder).parts))  # the last one mounted lies on top
    kind = own.kind.lower()
    return own if kind in SHARED or kind.startswith("fuse.") else None


def tell_shared_database(storage: Path, tell: Callable[[str], None]) -> None:
    """Warn people of the embedded database of a storage, where this machine's file systems give reason to."""
    warning = database_warning(storage, mounts())
    if warning is not None:
        tell(warning)


def database_warning(storage: Path, mounted: Iterable[Mount]) -> str | None:
    """Warn of the embedded database on a file system of several machines; None where it lies on a disk of this one.

    Args:
        storage: absolute root.
        mounted: file systems of this machine.
    """
    mount = shared_mount(storage.resolve(), mounted)
    if mount is None:
        return None
    return (
        f"tracking: {storage / layout.TRACKING_DATABASE} is an SQLite database on {mount.kind} ({mount.folder}), where"
        " locks may not hold between machines: let one run at a time write to it, or give a server with --tracking-uri"
        " (`mlflow server`). Results are on the storage in any case: `ablate sync` sends them again."
    )
