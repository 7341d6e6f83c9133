"""Take, renew and release leases: the right to produce something, held by one process at a time.

A lease is a folder, `leases/<name>/`, that holds at most one file, `<nonce>.json`; the nonce is new with every taking,
and whoever's file lies there holds the lease. Four operations of the file system are all that is ever done to it, each
of them atomic, each naming a nonce:

- take: a folder with the taker's file in it is prepared aside and renamed to `leases/<name>`. POSIX (and NFS) refuse to
  rename a folder over one that is not empty, so that a file enters only while no other is there.
- take over: the file that was found abandoned is unlinked by its own name, then as above.
- release: the holder unlinks its own name.
- renew: the holder touches its own name, which fails if it is no longer there.

Why there can never be two holders. Suppose two files lay in the folder at one time. Files enter only through a rename
of a whole folder with one file in it; the second such rename found the folder without files, so that the first file had
been unlinked before, and as a nonce is never used twice it did not come back. Nothing that anybody looked at earlier
matters, however long it then slept: one that judged a lease abandoned and wakes up after others took it over, released
it and took it again unlinks a name that is no longer there, and its rename is refused while anybody holds the lease; a
holder that wakes up after it was taken over touches and unlinks only its own name, never the other's. Renaming the
abandoned lease away and looking at what was caught would not do: what was caught may be another's fresh lease, and
until it is put back a third finds the place free.

What no lease can give: a holder that was silent for `LEASE_SILENCE_S` learns that it was taken over when it next calls
`renew` or `is_held`, and may go on working until then. Results are therefore written so that producing one twice does
no harm.

Silence is what an observer has seen, by its own monotonic clock: the time that `renew` writes stands still. What that
time is does not matter. It is the server's on NFS, and the holder's machine's on CephFS and Lustre; either may be wrong
or be set. Between two looks some seconds count at most, so that an outage in which neither could reach the storage
is no silence. Who looks once and ends, such as `ablate status`, sees no silence, and takes over only what has not been
renewed for `LEASE_FORGOTTEN_S` by the file system's clock, which no clock is wrong by.
"""

from __future__ import annotations

import errno
import logging
import os
import secrets
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from search_spaces.full_storage import FULL
from trainables.storage.flush import flush_entry
from trainables.storage.lease_observer import Observer
from trainables.storage.owner import Owner

logger = logging.getLogger(__name__)

LEASE_SILENCE_S = 60.0
"""A lease whose owner has given no sign of life for this long may be taken over."""


LEASE_FORGOTTEN_S = 86_400.0
"""A lease that was renewed so long ago by the file system's clock is free for everybody, whoever looks."""


UNREADABLE = Owner(host="", pid=0, started=0.0)
"""Holds a lease that is empty or garbage until its silence shows that it was abandoned."""

_UNREADABLE = (
    f"must name the process that holds the lease, but is damaged; it counts as held by somebody until it was seen to "
    f"stand still for {LEASE_SILENCE_S:.0f} s"
)


class Lease(Protocol):
    """Lease that was taken; `renew` it much more often than every `LEASE_SILENCE_S`."""

    def is_held(self) -> bool:
        """Check on storage whether the lease is still the taker's."""
        ...

    def renew(self) -> bool:
        """Renew the lease. Returns False if it was lost meanwhile."""
        ...

    def release(self) -> None:
        """Release the lease; nothing happens if it was lost."""
        ...


@dataclass(frozen=True)
class FolderLease:
    """Lease on a file system, as the module describes it."""

    path: Path
    """The holder's file. Nobody else's ever has this name."""

    def is_held(self) -> bool:
        return _read(self.path) is not None

    def renew(self) -> bool:
        try:
            os.utime(self.path)
        except OSError as error:
            if error.errno not in _REMOVED:
                raise
            return False
        return True

    def release(self) -> None:
        self.path.unlink(missing_ok=True)
        _remove_if_empty(self.path.parent)


OCCUPIED = (errno.ENOTEMPTY, errno.EEXIST)
"""Errors for renaming over a folder that is not empty: POSIX allows either."""

_REMOVED = (errno.ENOENT, errno.ESTALE)
"""Errors for a file that somebody removed; the second is that of NFS for one removed while it was open."""


def take_lease(folder: Path, owner: Owner, observer: Observer) -> FolderLease | None:
    """Take the lease that `folder` stands for.

    It is free if nobody holds it, if the observer has seen its holder silent for `LEASE_SILENCE_S`, or if that was a
    process in sight that has ended. A lease that cannot be read is judged by its silence alone.

    Args:
        folder: `leases/<name>` of a storage root; what lies above it is made.
        owner: who takes it, shown to other processes.
        observer: what this process has seen before.

    Returns:
        The lease, or None while another owner holds it.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    for entry in _entries(folder):
        if _living_owner(entry, observer) is not None:
            return None
        entry.unlink(missing_ok=True)
    nonce = secrets.token_hex(8)
    taken = FolderLease(folder / f"{nonce}.json")
    aside = folder.with_name(f".{folder.name}.{nonce}.aside")
    aside.mkdir()
    try:
        _write(aside / taken.path.name, owner.to_bytes())
        flush_entry(aside)
        _remove_if_empty(folder)
        try:
            os.rename(aside, folder)
        except OSError as error:  # an NFS server may repeat a rename that it has done, and then reports a failure
            if error.errno not in OCCUPIED and not taken.is_held():
                raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    flush_entry(folder.parent)
    return taken if taken.is_held() else None


def _remove_if_empty(folder: Path) -> None:
    """Remove an empty folder: SMB, FAT and others rename no folder over one that is there, be it empty."""
    try:
        folder.rmdir()
    except OSError as error:
        if error.errno not in OCCUPIED + _REMOVED:
            raise


def lease_owner(folder: Path, observer: Observer) -> Owner | None:
    """Read who holds the lease that `folder` stands for; None if it is free to take."""
    owners = (_living_owner(entry, observer) for entry in _entries(folder))
    return next((owner for owner in owners if owner is not None), None)


def lease_silence_s(folder: Path) -> float:
    """Read for how many seconds a lease has not been renewed, by the file system's clock: for people to see."""
    read = [sight for entry in _entries(folder) if (sight := _read(entry)) is not None]
    return max(0.0, file_system_time(folder.parent) - max(renewed_ns for _, renewed_ns in read) / 1e9) if read else 0.0


def _entries(folder: Path) -> list[Path]:
    """List the holder's file, and whatever else was left there: its silence is waited for, too."""
    try:
        return sorted(folder.iterdir())
    except FileNotFoundError:
        return []


def _living_owner(entry: Path, observer: Observer) -> Owner | None:
    """Judge one file of a lease: its owner, or None if it was abandoned or has just been released."""
    read = _read(entry)
    if read is None:
        return None
    content, renewed_ns = read
    owner = Owner.parse(content) or UNREADABLE
    if owner is UNREADABLE and observer.is_new(entry):
        logger.warning("%s: %s", entry, _UNREADABLE)
    if owner.is_gone() or observer.silence(entry, renewed_ns) > LEASE_SILENCE_S:
        return None
    if time.time() - renewed_ns / 1e9 < LEASE_FORGOTTEN_S / 2:  # by far: no need to ask the file system
        return owner
    return None if file_system_time(entry.parent.parent) - renewed_ns / 1e9 > LEASE_FORGOTTEN_S else owner


def _read(entry: Path) -> tuple[bytes, int] | None:
    """Read content and time of a file, in ns, or None if it is not there.

    It is opened for that: NFS clients answer `stat` from a cache that may be as old as the silence.
    """
    try:
        with entry.open("rb") as file:
            return file.read(), os.fstat(file.fileno()).st_mtime_ns
    except OSError as error:
        if error.errno not in _REMOVED:
            raise
        return None


def file_system_time(folder: Path) -> float:
    """Read the file system's time, in seconds since the epoch, by touching a file below `folder`.

    A process that cannot write there can take no lease and only looks: its own clock is all that it has.
    """
    try:
        with tempfile.TemporaryFile(dir=folder) as probe:
            os.utime(probe.fileno())
            return os.fstat(probe.fileno()).st_mtime
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS, *FULL):
            raise
        return time.time()


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
