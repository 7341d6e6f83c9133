"""Open files that a user names, and nothing else: a pipe would be waited for without end, a device read without end."""

from __future__ import annotations

import errno
import io
import os
import stat
from pathlib import Path

_KINDS = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def require_regular(path: Path) -> os.stat_result:
    """Take the attributes of a file, through links. Raises OSError for what is not there, and for what is no file."""
    return _checked(path.stat(), path)


def open_regular(path: Path) -> io.BufferedReader:
    """Open a file to read its bytes. Raises OSError for what is not there, and, at once, for what is no file."""
    require_regular(path)
    file = open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb")  # noqa: SIM115  # the caller closes it
    try:
        _checked(os.fstat(file.fileno()), path)  # it may have been replaced
    except OSError:
        file.close()
        raise
    return file


def read_regular(path: Path) -> bytes:
    """Read a file. Raises OSError as `open_regular` does."""
    with open_regular(path) as file:
        return file.read()


def _checked(about: os.stat_result, path: Path) -> os.stat_result:
    kind = stat.S_IFMT(about.st_mode)
    if kind == stat.S_IFDIR:
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if kind != stat.S_IFREG:
        raise OSError(errno.EINVAL, f"it is {_KINDS.get(kind, 'no file')}", str(path))
    return about
