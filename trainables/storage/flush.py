"""Flush files and folders to the disk, so that a machine that dies after a rename has what the rename made visible."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path


def flush_tree(path: Path) -> None:
    """Flush a file, or a folder with everything below it."""
    for entry in entries_of_tree(path):
        flush_entry(entry)


def entries_of_tree(path: Path) -> Iterator[Path]:
    """List what must be flushed for `path` to be whole: files and folders at any depth, each folder after its content.

    Links and special files have no content of their own here and are left out.
    """
    if path.is_symlink():
        return
    if path.is_dir():
        for child in sorted(path.iterdir()):
            yield from entries_of_tree(child)
        yield path
    elif path.is_file():
        yield path


def make_folder(path: Path) -> None:
    """Make a folder with its parents, and flush the lists of names in which new folders stand.

    A file that was flushed in a folder whose own name was not may be gone with it after a power cut.
    """
    new = list(takewhile(lambda folder: not folder.is_dir(), (path, *path.parents)))
    path.mkdir(parents=True, exist_ok=True)
    for folder in reversed(new):
        flush_entry(folder.parent)


NO_FLUSH_OF_FOLDERS = (errno.EINVAL, errno.EBADF, errno.ENOTSUP, errno.EISDIR, errno.EACCES)
"""Errors of file systems that cannot flush folders, such as SMB and some FUSE: there nothing more can be done."""


def flush_entry(path: Path) -> None:
    """Flush one file, or the list of names of one folder: not what lies in it, which may be others' and unfinished."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        if error.errno not in NO_FLUSH_OF_FOLDERS or not path.is_dir():
            raise
