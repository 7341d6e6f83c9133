"""Take the inventory of a storage root: how much of what lies there, and which folders are made and removed as one.

One walk over all names and sizes; no file is opened. Memory grows with the number of stages, evaluations and trials,
not with that of their files. What is in the folder of the user's own data is not looked at.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import PurePosixPath

from trainables.storage import layout
from trainables.storage.file_classes import PATTERNS, FileClass, file_class, unit_of
from trainables.storage.store import Store
from trainables.storage.walk import Entry

SHOWN_UNKNOWN = 1000
"""Names of files that are not this program's which are kept to be shown; all are counted."""


@dataclass
class Amount:
    """Number and size of files."""

    files: int = 0
    size_bytes: int = 0

    def add(self, size_bytes: int) -> None:
        """Count one file."""
        self.files += 1
        self.size_bytes += size_bytes


@dataclass
class Unit:
    """Folder, or file, that is made and removed as one."""

    name: str
    kind: FileClass
    """Of the first of its files that was found; a folder holds results and what they stand for."""
    newest: float = 0.0
    """When something in it was last written, in seconds since the epoch, by the storage's clock."""
    amounts: dict[FileClass, Amount] = field(default_factory=dict)
    files: set[str] = field(default_factory=set)
    """Names of the files directly in it, of folders whose content matters: stages, features, evaluations, trials."""

    @property
    def size_bytes(self) -> int:
        """Bytes of all its files."""
        return sum(amount.size_bytes for amount in self.amounts.values())

    @property
    def num_files(self) -> int:
        """Number of all its files."""
        return sum(amount.files for amount in self.amounts.values())


@dataclass(frozen=True)
class Inventory:
    """What lies below a storage root, at the moment of the walk."""

    amounts: Mapping[FileClass, Amount]
    """Every class -> its files; nothing is counted of `sources`."""
    units: Mapping[str, Unit]
    """Name -> folder or file that is made and removed as one."""
    unknown: tuple[str, ...]
    """Files that are not this program's, the first of them."""
    foreign: frozenset[str]
    """Folders of this program in which files lie that are not: none of them is removed."""
    unreadable: tuple[str, ...]
    """Folders into which this user may not look."""
    has_sources: bool
    """Whether the user's own data lie below the root."""

    @property
    def size_bytes(self) -> int:
        """Bytes of everything that was counted."""
        return sum(amount.size_bytes for amount in self.amounts.values())


_NAMED_FILES: frozenset[FileClass] = frozenset(("results", "weights", "features", "evaluations", "trials", "data"))


def take_inventory(store: Store, folders: Sequence[str] = ("",)) -> Inventory:
    """Walk over a storage, or some folders of it.

    Args:
        store: the storage.
        folders: relative to the root, none within another; all of it by default.
    """
    amounts: dict[FileClass, Amount] = {kind: Amount() for kind in PATTERNS}
    units: dict[str, Unit] = {}
    unknown: list[str] = []
    foreign: set[str] = set()
    unreadable: list[str] = []
    for entry in chain.from_iterable(store.walk(folder, without=(layout.SOURCES,)) for folder in folders):
        kind = file_class(entry.name)
        if not entry.is_readable:
            unreadable.append(entry.name)
        if entry.is_folder and kind not in ("asides", "progress", "leases", "scratch", "preparing", "answers"):
            continue  # an empty folder is nothing, unless it is what a kill has left
        if kind == "unknown":
            amounts[kind].add(entry.size)
            foreign |= {str(folder) for folder in PurePosixPath(entry.name).parents if len(folder.parts) in (2, 4)}
            if len(unknown) < SHOWN_UNKNOWN:
                unknown.append(entry.name)
            continue
        name = unit_of(entry.name, kind)
        unit = units.get(name)
        if unit is None:
            unit = units[name] = Unit(name, kind)
        _count(unit, entry, kind)
        if not entry.is_folder:
            amounts[kind].add(entry.size)
    has_sources = store.exists(layout.SOURCES)
    return Inventory(amounts, units, tuple(unknown), frozenset(foreign), tuple(unreadable), has_sources)


def _count(unit: Unit, entry: Entry, kind: FileClass) -> None:
    unit.newest = max(unit.newest, entry.modified)
    if entry.is_folder:
        return
    unit.amounts.setdefault(kind, Amount()).add(entry.size)
    if kind in _NAMED_FILES:
        unit.files.add(entry.name)
