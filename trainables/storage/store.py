"""Keep results on storage that outlives machines: atomic files, leases, and local folders where a library needs one.

`Store` is the interface for all callers; its names need not be paths. `LocalStore` keeps it in a folder of a file
system that all nodes see, by writing aside and renaming.
"""

from __future__ import annotations

import errno
import io
import os
import secrets
import shutil
from collections.abc import Collection, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path, PurePath
from typing import NamedTuple, Protocol

from search_spaces.names import inside, is_part, part
from trainables.storage import layout
from trainables.storage.flush import flush_entry, flush_tree, make_folder
from trainables.storage.lease import (
    OCCUPIED,
    FolderLease,
    Lease,
    file_system_time,
    lease_owner,
    lease_silence_s,
    take_lease,
)
from trainables.storage.lease_observer import Observer
from trainables.storage.owner import Owner
from trainables.storage.walk import Entry, walk_folder

ASIDE = ".aside"
"""Suffix of files and folders that are being written: no listing shows them, or their content."""


class Facts(NamedTuple):
    """Size and time of a file, and what tells its content from an earlier one."""

    size: int
    """Bytes."""
    modified: float
    """When it was last written, in seconds since the epoch, by the storage's clock."""
    content: tuple[int, ...] = ()
    """Other numbers as soon as the file was replaced or written to. Another host may see others of the same file."""


class Store(Protocol):
    """Storage of results. Names are relative, with forward slashes; a folder is there as long as something is in it.

    Whole files are put and read as bytes. What is too large for that, or written by a library that wants a path, goes
    through `writing` and `reading`; what grows through `append` and `open`; what a library changes in place through
    `working_folder`. Who reads never sees half of what was put, written or moved. What one process has put, the others
    see as soon as the call has returned.
    """

    def put(self, name: str, data: bytes) -> None:
        """Write a whole file or none: readers see the old content or the new one."""
        ...

    def get(self, name: str) -> bytes:
        """Read a whole file. Raises FileNotFoundError if it is not there."""
        ...

    def exists(self, name: str) -> bool:
        """Check whether there is a file, or a folder with something in it. Raises OSError if that cannot be known."""
        ...

    def facts(self, name: str) -> Facts:
        """Read size and time of a file. Raises FileNotFoundError if it is not there."""
        ...

    def facts_in(self, folder: str, names: Iterable[str]) -> list[Facts]:
        """Read size and time of files of a folder, in their order. Raises FileNotFoundError if one is not there.

        Args:
            folder: whose files they are.
            names: of the files in it.
        """
        ...

    def touch(self, name: str) -> None:
        """Set the time of a file to now: it is in use. Raises FileNotFoundError if it is not there."""
        ...

    def list(self, prefix: str) -> list[str]:
        """List all finished files below a folder, at any depth, sorted; none if it is not there.

        Raises OSError if one of its folders cannot be read.
        """
        ...

    def folders(self, prefix: str) -> tuple[str, ...]:
        """List the finished folders that lie directly in a folder, without its own name, sorted.

        Those whose names this program does not give (`names.part`) are left out. Raises OSError if the folder cannot be
        read.
        """
        ...

    def walk(self, prefix: str, without: Collection[str] = ()) -> Iterator[Entry]:
        """Find every file below a folder (``""``: the root) at any depth, unfinished ones too, and every empty folder.

        They come in no order and one by one, so that millions take no memory. What vanishes meanwhile is left out.

        Args:
            prefix: the folder.
            without: names of folders that are not entered.
        """
        ...

    def remove(self, name: str) -> None:
        """Remove a file or a folder; nothing happens if it is not there. A folder is gone whole, or not at all."""
        ...

    def remove_empty(self, name: str) -> None:
        """Remove a folder if nothing is in it, not even what is being written."""
        ...

    def move(self, name: str, to: str) -> None:
        """Rename a file or folder to a name that nothing has yet; a folder appears there whole, and safe from a crash.

        Raises FileNotFoundError if it is not there, and OSError of `lease.OCCUPIED` if something has the name. Two that
        move files to one name at a time hold a lease: only of folders is it the file system that refuses the second.
        """
        ...

    def open(self, name: str) -> io.BufferedIOBase:
        """Open a file to read it from any offset, as far as it was appended to by now. Raises FileNotFoundError."""
        ...

    def append(self, name: str) -> io.RawIOBase:
        """Open a file to add to its end; it is made if it is not there.

        Every `write` is one piece that readers see whole or cut, never mixed with another's. It is safe from a crash of
        the process when it returns, and of the machine when the file is closed.
        """
        ...

    def writing(self, name: str) -> AbstractContextManager[Path]:
        """Provide a local path to write a file or folder to; it gets its name when the block ends without an error.

        Nothing lies at the path when the block begins. What had the name before is replaced.
        """
        ...

    def reading(self, name: str) -> Path:
        """Provide a local path at which a finished file or folder can be read and mapped; it must not be written to.

        Whether it is there shows when it is opened.
        """
        ...

    def working_folder(self, name: str) -> AbstractContextManager[Path]:
        """Provide a local folder with the content of a folder; changes are stored when the block ends.

        Several processes may work in one at a time, each with files of its own: what one has written the others may
        count on only after its block has ended. What is not finished may be seen by others, unless the name or a part
        of it ends with `ASIDE`.
        """
        ...

    def place(self, name: str) -> str:
        """Return where a person finds a file."""
        ...

    def uri(self, name: str) -> str:
        """Return the address of a file for a program."""
        ...

    def now(self) -> float:
        """Read the time by the clock that times of files are of, in seconds since the epoch."""
        ...

    def lease(self, name: str, owner: Owner) -> Lease | None:
        """Take the lease `name` for `owner`; None while another owner holds it (`trainables.storage.lease`)."""
        ...

    def lease_owner(self, name: str) -> Owner | None:
        """Read who holds a lease; None if it is free to take."""
        ...

    def lease_silence_s(self, name: str) -> float:
        """Read for how many seconds a lease has not been renewed, by the storage's clock; 0 if nobody holds it."""
        ...

    def leases(self) -> set[str]:
        """List the leases that were taken and not released, whether the holder is alive or not."""
        ...


class LocalStore:
    """Store in a folder of a (shared) file system."""

    def __init__(self, root: Path):
        self.root = Path(root)
        if not self.root.is_absolute():
            raise ValueError(f"the storage root must be absolute, but got {str(root)!r}")
        self._below = os.path.join(self.root, "")
        self._observer = Observer()
        self._inode = _inode(self.root)

    def _make(self, folder: Path) -> None:
        """Make a folder below the root, unless the root is another folder than it was.

        A root that is gone, or an empty mount point in its place, says that the storage is away. Whatever was written
        there would lie beside the storage once it is back.

        Raises:
            FileNotFoundError: the root is not the folder that it was when this object was made.
        """
        if folder.is_dir():
            return
        if self._inode is not None and _inode(self.root) != self._inode:
            raise FileNotFoundError(errno.ENOENT, "the storage root is gone", str(self.root))
        make_folder(folder)
        self._inode = self._inode or _inode(self.root)

    def _at(self, name: str) -> Path:
        """Return the path of a file. Raises InputError for a name that leads out of the root, as a record may hold."""
        return self.root / inside(name)

    def put(self, name: str, data: bytes) -> None:
        with self.writing(name) as aside:
            aside.write_bytes(data)

    def get(self, name: str) -> bytes:
        with open(self._below + inside(name), "rb") as file:
            return file.read()

    def exists(self, name: str) -> bool:
        try:
            os.stat(self._below + inside(name))
        except (FileNotFoundError, NotADirectoryError):
            return False
        return True

    def facts(self, name: str) -> Facts:
        return _facts(self._below + inside(name))

    def facts_in(self, folder: str, names: Iterable[str]) -> list[Facts]:
        before = f"{self._below}{inside(folder)}/"
        return [_facts(before + part(name)) for name in names]

    def touch(self, name: str) -> None:
        os.utime(self.root / name)

    def list(self, prefix: str) -> list[str]:
        names: list[str] = []
        left = [str(PurePath(inside(prefix)))]
        while left:
            folder = left.pop()
            try:
                with os.scandir(os.path.join(self.root, folder)) as scanned:
                    entries = [entry for entry in scanned if not entry.name.endswith(ASIDE)]
            except OSError as error:
                _raise_unless_gone(error)
                continue
            before = "" if folder == "." else f"{folder}/"
            for entry in entries:
                if not entry.is_dir():
                    names.append(before + entry.name)
                elif not entry.is_symlink():
                    left.append(before + entry.name)
        return sorted(names)

    def folders(self, prefix: str) -> tuple[str, ...]:
        _, folders, _ = next(os.walk(self._at(prefix), onerror=_raise_unless_gone), ("", [], []))
        return tuple(sorted(folder for folder in folders if is_part(folder) and not folder.endswith(ASIDE)))

    def walk(self, prefix: str, without: Collection[str] = ()) -> Iterator[Entry]:
        return walk_folder(self.root, inside(prefix), without)

    def remove(self, name: str) -> None:
        path = self._at(name)
        if not path.is_dir() or path.is_symlink():
            path.unlink(missing_ok=True)
            return
        if not path.name.endswith(ASIDE):  # renamed first: what a kill leaves of it is nothing that anybody reads
            aside = _beside(path)
            try:
                path.rename(aside)
            except FileNotFoundError:
                return
            path = aside
        _discard(path)

    def remove_empty(self, name: str) -> None:
        try:
            self._at(name).rmdir()
        except OSError as error:
            if error.errno not in (*OCCUPIED, errno.ENOENT):
                raise

    def move(self, name: str, to: str) -> None:
        final = self._at(to)
        self._make(final.parent)
        source = self._at(name)
        flush_tree(source)
        if not source.is_dir() and os.path.lexists(final):  # a file would be renamed over another
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(final))
        source.rename(final)
        flush_entry(final.parent)

    def open(self, name: str) -> io.BufferedReader:
        return self._at(name).open("rb")

    def append(self, name: str) -> io.FileIO:
        path = self._at(name)
        self._make(path.parent)
        return _FlushedAtEnd(path, "ab")

    @contextmanager
    def writing(self, name: str) -> Iterator[Path]:
        final = self._at(name)
        self._make(final.parent)
        aside = _beside(final)
        try:
            yield aside
            flush_tree(aside)
            if aside.is_dir():
                _publish_folder(aside, final)
            else:
                os.replace(aside, final)
            flush_entry(final.parent)
        finally:
            _discard(aside)

    def reading(self, name: str) -> Path:
        return self._at(name)

    @contextmanager
    def working_folder(self, name: str) -> Iterator[Path]:
        folder = self._at(name)
        self._make(folder)
        yield folder

    def place(self, name: str) -> str:
        return str(self._at(name))

    def uri(self, name: str) -> str:
        return self._at(name).as_uri()

    def now(self) -> float:
        return file_system_time(self.root)

    def lease(self, name: str, owner: Owner) -> FolderLease | None:
        self._make((self.root / layout.lease_folder(name)).parent)
        return take_lease(self.root / layout.lease_folder(name), owner, self._observer)

    def lease_owner(self, name: str) -> Owner | None:
        return lease_owner(self.root / layout.lease_folder(name), self._observer)

    def lease_silence_s(self, name: str) -> float:
        return lease_silence_s(self.root / layout.lease_folder(name))

    def leases(self) -> set[str]:
        return {str(PurePath(file).parent.relative_to(layout.LEASES)) for file in self.list(layout.LEASES)}


def _facts(path: str) -> Facts:
    stat = os.stat(path)
    return Facts(stat.st_size, stat.st_mtime, (stat.st_ino, stat.st_mtime_ns))


def _raise_unless_gone(error: OSError) -> None:
    """Raise what has kept a folder from being listed, unless others have removed it."""
    if not isinstance(error, (FileNotFoundError, NotADirectoryError)):
        raise error


def _beside(path: Path) -> Path:
    """Name what nothing else is called and no listing shows, in the folder of a path."""
    return path.with_name(f".{path.name}.{secrets.token_hex(6)}{ASIDE}")


def _discard(path: Path) -> None:
    """Remove what nobody reads; what cannot be removed now stays aside, where it is found as a leftover."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _publish_folder(aside: Path, final: Path) -> None:
    """Give a folder its name, in place of what has it. A kill leaves there the old one, the new one or nothing.

    Where another process gives it to one of its own meanwhile, that one holds.
    """
    old = _beside(final)
    with suppress(FileNotFoundError):
        final.rename(old)
    try:
        aside.rename(final)
    except OSError as error:
        if error.errno not in OCCUPIED:
            if old.exists():
                old.rename(final)
            raise
    _discard(old)


def _inode(folder: Path) -> int | None:
    """Return the number of a folder on its file system; None if it is not there. Raises OSError if nobody can tell."""
    try:
        return folder.stat().st_ino
    except (FileNotFoundError, NotADirectoryError):
        return None


class _FlushedAtEnd(io.FileIO):
    def close(self) -> None:
        if not self.closed:
            os.fsync(self.fileno())
        super().close()
