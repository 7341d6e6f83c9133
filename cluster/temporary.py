"""Make temporary folders that die with their process: what a killed one has left, the next one removes.

A folder belongs to the process that holds the lock on its file `lock`. The kernel drops the lock when that process
ends, however it ends, so a folder whose lock can be had belongs to nobody. No process id is looked at, which another
process may have by now.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from cluster.address import EMBEDDED_PREFIX

LOCK = "lock"

END_WITHIN_S = 5.0
"""Seconds that processes of a dead session have to end by themselves once they are told to."""


class SessionFolder:
    """A temporary folder that belongs to this process until it is removed or the process ends.

    Args:
        parent: where it is made.
    """

    def __init__(self, parent: Path):
        being_made = Path(tempfile.mkdtemp(prefix=f".{EMBEDDED_PREFIX}", dir=parent))
        self._lock = (being_made / LOCK).open("wb")
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        self.path = being_made.rename(parent / being_made.name.removeprefix("."))  # nobody sees it without its lock

    def remove(self) -> None:
        """Remove the folder with everything in it."""
        shutil.rmtree(self.path, ignore_errors=True)
        self._lock.close()


@contextmanager
def session_folder(parent: Path) -> Iterator[Path]:
    """Make a folder that is there while the block runs, after what killed processes have left beside it is removed."""
    remove_abandoned(parent)
    folder = SessionFolder(parent)
    try:
        yield folder.path
    finally:
        folder.remove()


def remove_abandoned(parent: Path) -> None:
    """Remove the session folders of this user below `parent` whose processes are gone, and end what they have left.

    Processes of Ray that outlive their driver are known by the folder, which has a random name.
    """
    for folder in _abandoned(parent):
        _end_processes(folder)
        shutil.rmtree(folder, ignore_errors=True)


def count_abandoned(parent: Path) -> int:
    """Count the session folders of this user below `parent` whose processes are gone."""
    return sum(1 for _ in _abandoned(parent))


def _abandoned(parent: Path) -> Iterator[Path]:
    """Find the session folders of this user whose processes are gone, each with its lock held while it is looked at."""
    for folder in parent.glob(f"{EMBEDDED_PREFIX}*"):
        try:
            if folder.is_symlink() or folder.stat().st_uid != os.getuid():
                continue
            lock = (folder / LOCK).open("rb")
        except OSError:  # made a moment ago, or removed by another process meanwhile
            continue
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:  # held by a living process
                continue
            yield folder


def _end_processes(folder: Path) -> None:
    left = [process for process in psutil.process_iter(["cmdline", "uids"]) if _belongs(process, folder)]
    for process in left:
        try:
            process.terminate()
        except psutil.NoSuchProcess:
            continue
    for process in psutil.wait_procs(left, timeout=END_WITHIN_S)[1]:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue


def _belongs(process: psutil.Process, folder: Path) -> bool:
    """Return whether a process of this user is one of Ray's that works in the folder.

    It was started with the folder in an option; or it calls itself `ray::...`, which hides its options, and has a file
    open there.
    """
    uids, words = process.info["uids"], process.info["cmdline"] or []
    is_own = uids is not None and uids.real == os.getuid()
    if not is_own or not words:
        return False
    if not words[0].startswith("ray::"):
        return any(word.startswith("--") and str(folder) in word for word in words)
    try:
        return any(Path(file.path).is_relative_to(folder) for file in process.open_files())
    except psutil.Error:
        return False
