"""Roll a storage back to a state that a power cut may leave: what was not flushed need not be there.

The log of operations and the copies that each flush made (`interpose.c`) say what was durable at the moment of the cut.
POSIX promises of a file what its last `fsync` saw, and of a folder the names that its last `fsync` saw. Everything
after that may be there or not; how much is, is drawn:

- strict: nothing that was not flushed is there;
- ordered: changes of names are there up to some moment, in the order in which they were made, as journals keep it;
- torn: each folder has its own such moment.

Contents that were not flushed are as they were flushed last, cut in half, whole, or zeros of the full length. A rename
from one folder to another happens in both or in neither, by the folder that it leads to.

safetensors gives its files their names by a direct system call, which no library sees: such a rename within a folder is
found by the file's inode when the file is touched next.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Literal, assert_never

from measurements.drill.operations import HIT, Record

Mode = Literal["strict", "ordered", "torn"]


@dataclass(eq=False)
class File:
    """A file, whatever its names."""

    inode: int = 0
    """0 of files that were there before the log began."""
    flushed: Path | None = None
    """Copy of its content as it was flushed last; None if it never was."""
    is_dirty: bool = True
    """Whether it was changed after that."""
    is_old: bool = False
    """Whether it was there before the log began, and then flushed as it was."""


@dataclass(eq=False)
class Folder:
    """A folder: its names now, those that were flushed, and the changes since."""

    names: dict[str, Node] = field(default_factory=dict)
    flushed: dict[str, Node] = field(default_factory=dict)
    pending: list[Change] = field(default_factory=list)


Node = File | Folder


@dataclass(frozen=True)
class Change:
    """A change of one name of a folder."""

    number: int
    name: str
    node: Node | None
    """None where the name was removed."""
    leads_to: Folder | None = None
    """Of the removal that a rename to another folder is: that folder."""


class StorageModel:
    """Tree of a storage, with what of it is durable, after the operations of a log.

    Args:
        root: the storage as it was before the log began, all of it durable.
    """

    def __init__(self, root: Path):
        self.root = _known(root)

    def apply(self, record: Record, shadows: Path) -> None:
        """Apply one record of the log.

        Args:
            record: the next of the log.
            shadows: folder of the copies that flushes made.
        """
        if record.operation == HIT:
            if record.disturbed in "WSFMTO":
                self._file(record)
            return
        if record.error:
            return
        match record.operation:
            case "C" | "K":
                self._name(record.number, record.path, File(record.inode))
            case "N":
                self._name(record.number, record.path, Folder())
            case "U" | "X":
                self._name(record.number, record.path, None)
            case "R":
                node = self.find(record.path)
                self._move(record.number, record.path, record.second, node or self._file(record))
            case "L":
                self._name(record.number, record.second, self.find(record.path))
            case "W" | "S" | "M" | "T":
                self._file(record).is_dirty = True
            case "F":
                file = self._file(record)
                file.flushed, file.is_dirty, file.is_old = shadows / str(record.number), False, False
            case "D":
                self._flush(record.path)
            case _:
                pass

    def find(self, path: str) -> Node | None:
        """Find what is at a path now."""
        node: Node | None = self.root
        for part in PurePosixPath(path).parts:
            node = node.names.get(part) if isinstance(node, Folder) else None
        return node

    def paths(self, folder: Folder | None = None, prefix: str = "") -> Iterator[str]:
        """List the paths of all files and folders that are there now."""
        for name, node in sorted((self.root if folder is None else folder).names.items()):
            yield f"{prefix}{name}"
            if isinstance(node, Folder):
                yield from self.paths(node, f"{prefix}{name}/")

    def _folder(self, path: str) -> Folder:
        node = self.find(path)
        if not isinstance(node, Folder):
            raise LookupError(f"the log changes names in {path}, which by the log is no folder")
        return node

    def _file(self, record: Record) -> File:
        """Find the file that a record is of, also under a name that it was given by a rename that is not in the log."""
        node = self.find(record.path)
        if isinstance(node, File):
            return node
        pure = PurePosixPath(record.path)
        for name, other in self._folder(str(pure.parent)).names.items():
            if isinstance(other, File) and other.inode == record.inode:
                self._move(record.number - 1, str(pure.with_name(name)), record.path, other)
                return other
        raise LookupError(f"the log has {record.operation} of {record.path}, which by the log is not there")

    def _name(self, number: int, path: str, node: Node | None, leads_to: Folder | None = None) -> None:
        pure = PurePosixPath(path)
        folder = self._folder(str(pure.parent))
        if node is None:
            folder.names.pop(pure.name, None)
        else:
            folder.names[pure.name] = node
        folder.pending.append(Change(number, pure.name, node, leads_to))

    def _move(self, number: int, source: str, target: str, node: Node) -> None:
        there, here = (self._folder(str(PurePosixPath(path).parent)) for path in (target, source))
        self._name(number, target, node)
        self._name(number, source, None, there if there is not here else None)

    def _flush(self, path: str) -> None:
        folder = self._folder(path)
        moved = {change.number for change in folder.pending if change.node is not None}
        folder.flushed, folder.pending = dict(folder.names), []
        for other in _folders(self.root):
            due = [change for change in other.pending if change.leads_to is folder and change.number in moved]
            for change in due:
                other.flushed.pop(change.name, None)
                other.pending.remove(change)


def cut_power(root: Path, model: StorageModel, aside: Path, mode: Mode, seed: int) -> list[str]:
    """Replace a storage by what a power cut may have left of it, and list what differs.

    Args:
        root: the storage as all processes saw it when they died.
        model: of it.
        aside: a path on which nothing lies, for the work.
        mode: how much of what was not flushed is there.
        seed: of what is drawn.
    """
    draw = random.Random(seed)
    before = {str(path.relative_to(root)) for path in root.rglob("*")}
    if before != set(model.paths()):
        odd = sorted(before ^ set(model.paths()))
        raise LookupError(f"the log must account for all files, but does not for {len(odd)}, such as {odd[0]}")
    whole = {id(node): root / path for path, node in _walk(model.root)}
    last = max((change.number for folder in _folders(model.root) for change in folder.pending), default=0)
    moment = draw.randint(0, last)
    moments: dict[int, int] = {}

    def kept_until(folder: Folder) -> int:
        match mode:
            case "strict":
                return -1
            case "ordered":
                return moment
            case "torn":
                return moments.setdefault(id(folder), draw.randint(0, last))
            case _:
                assert_never(mode)

    changed: list[str] = []

    def restore(folder: Folder, to: Path, path: str) -> None:
        to.mkdir()
        names = dict(folder.flushed)
        for change in folder.pending:
            if change.number <= kept_until(change.leads_to or folder):
                if change.node is None:
                    names.pop(change.name, None)
                else:
                    names[change.name] = change.node
        changed.extend(f"{path}{name}: name not there" for name in folder.names.keys() - names.keys())
        changed.extend(f"{path}{name}: there again" for name in names.keys() - folder.names.keys())
        for name, node in sorted(names.items()):
            if isinstance(node, Folder):
                restore(node, to / name, f"{path}{name}/")
            else:
                content, what = _content(node, whole.get(id(node)), mode, draw)
                (to / name).write_bytes(content)
                if what is not None:
                    changed.append(f"{path}{name}: {what}")

    restore(model.root, aside, "")
    shutil.rmtree(root)
    aside.rename(root)
    return changed


def _content(file: File, now: Path | None, mode: Mode, draw: random.Random) -> tuple[bytes, str | None]:
    """Choose the content of a file after a cut; what it is, if it is not as it was."""
    if file.is_old and not file.is_dirty and now is not None:
        return now.read_bytes(), None
    flushed = file.flushed.read_bytes() if file.flushed is not None else b""
    if not file.is_dirty or now is None:
        return flushed, None
    whole = now.read_bytes()
    choice = "flushed" if mode == "strict" else draw.choice(("flushed", "half", "whole", "zeros"))
    added = len(whole) - len(flushed)
    if choice == "half" and added > 1:
        return whole[: len(flushed) + added // 2], "half of what was written"
    if choice == "zeros" and added > 0:
        return flushed + bytes(added), "zeros"
    if choice == "whole":
        return whole, None
    return flushed, "as it was flushed" if flushed else "empty"


def _known(path: Path) -> Folder:
    names: dict[str, Node] = {}
    for child in path.iterdir():
        names[child.name] = _known(child) if child.is_dir() else File(is_dirty=False, is_old=True)
    return Folder(names, dict(names))


def _folders(folder: Folder) -> Iterator[Folder]:
    yield folder
    for node in {id(node): node for node in (*folder.names.values(), *folder.flushed.values())}.values():
        if isinstance(node, Folder):
            yield from _folders(node)


def _walk(folder: Folder, prefix: str = "") -> Iterator[tuple[str, Node]]:
    for name, node in folder.names.items():
        yield f"{prefix}{name}", node
        if isinstance(node, Folder):
            yield from _walk(node, f"{prefix}{name}/")
