"""Walk over a folder of a file system that others change meanwhile."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from pathlib import Path
from stat import S_ISDIR
from typing import NamedTuple


class Entry(NamedTuple):
    """File, or folder in which nothing is found, as a walk over the storage comes by it."""

    name: str
    """Relative to the storage root."""
    size: int
    """Bytes; 0 of a folder."""
    modified: float
    """When it was last written, in seconds since the epoch, by the storage's clock."""
    is_folder: bool = False
    is_readable: bool = True
    """False of a folder into which this user may not look: whether anything is in it is not known."""


def walk_folder(root: Path, prefix: str, without: Collection[str] = ()) -> Iterator[Entry]:
    """Find every file below a folder at any depth, and every empty folder, one by one and in no order.

    What vanishes meanwhile is left out. Links are not followed, but for those in the root itself: what grows large may
    lie on another disk.

    Args:
        root: which names are relative to.
        prefix: the folder, relative to the root; empty for the root itself.
        without: names of folders that are not entered.
    """
    top, skipped = str(root), {str(root / name) for name in without}
    left = [str(root / prefix)]
    while left:
        folder = left.pop()
        if folder in skipped:
            continue
        try:
            with os.scandir(folder) as scanned:
                entries = list(scanned)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except PermissionError:
            yield from _entry(folder, top, is_readable=False)
            continue
        if not entries and folder != top:
            yield from _entry(folder, top)
        for entry in entries:
            if entry.is_dir(follow_symlinks=folder == top):
                left.append(entry.path)
            else:
                yield from _entry(entry.path, top)


def _entry(path: str, top: str, *, is_readable: bool = True) -> Iterator[Entry]:
    """Make the entry of a path, if it is still there."""
    try:
        stat = os.lstat(path)
    except FileNotFoundError:
        return
    is_folder = S_ISDIR(stat.st_mode) or not is_readable
    yield Entry(path[len(top) + 1 :], 0 if is_folder else stat.st_size, stat.st_mtime, is_folder, is_readable)
