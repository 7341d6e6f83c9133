"""Name, mark and set aside what is damaged on storage. No torch.

Damage that only the content of a file shows is found by whoever reads it. It is marked in the folder of the artifact:
from then on it counts as damaged for everyone, and whoever needs it next makes it again. A mark says which file was
read: it means nothing for a file that has taken its place.
"""

from __future__ import annotations

import secrets
import socket
import time
from dataclasses import dataclass
from typing import NoReturn

from search_spaces.errors import InputError
from trainables.storage import layout
from trainables.storage.record_files import read_or_redo, write
from trainables.storage.records import DamageMark
from trainables.storage.store import Facts, Store

AGAIN = "Run the study again: what it needs of this is made anew, everything else is kept."
"""Way out of damage that a run mends."""

ABSENT = "it is not there"
CHANGED = "its content is not what was written (its digest differs)"
"""Ends of "must be complete, but ..."."""


@dataclass(frozen=True)
class Damage:
    """What is wrong with one file of an artifact."""

    file: str
    """Name on storage."""
    problem: str
    """The end of "must be complete, but ..."."""
    place: str
    """Where a person finds the file."""
    read: Facts | None = None
    """Facts of the file whose content has shown the damage; None where its shape shows it to everyone."""

    @property
    def law(self) -> str:
        """What must hold of the file, and what does not."""
        return f"must be complete, as it was written, but {self.problem}"

    def __str__(self) -> str:
        return f"{self.place}: {self.law}"

    def error(self, way_out: str = AGAIN) -> DamagedArtifactError:
        """Make the error that names file, damage and way out."""
        return DamagedArtifactError(self.law, place=self.place, way_out=way_out)


class DamagedArtifactError(InputError):
    """An artifact turned out to be damaged, or not to be there any more, where it was read.

    An attempt that ends so is followed by another one, once the artifact has been made again.
    """


def refuse_damaged(store: Store, folder: str, damage: Damage) -> NoReturn:
    """Refuse to read a damaged artifact, and mark it where only its content shows the damage.

    Args:
        store: where it is.
        folder: of the artifact.
        damage: what is wrong.

    Raises:
        DamagedArtifactError: that names file, damage and way out.
    """
    mark_damage(store, folder, damage)
    raise damage.error()


def absent(store: Store, name: str) -> Damage:
    """Name a file as damaged that is not there any more, though a result stands for it."""
    return Damage(name, ABSENT, store.place(name))


def changed_row(row: int) -> str:
    """Say that the content of a row is another one than was written."""
    return f"the content of row {row:,} is not what was written (its digest differs)"


def mark_damage(store: Store, folder: str, damage: Damage) -> None:
    """Write down what is damaged in an artifact, so that it counts as damaged for everyone.

    Nothing is written about a file that has been replaced or set aside since it was read, nor about one whose shape
    shows the damage.

    Args:
        store: where it is.
        folder: of the artifact.
        damage: what is wrong.
    """
    if damage.read is not None and _is_there(store, damage.file, damage.read):
        record = DamageMark(
            damage.file,
            damage.problem,
            socket.gethostname(),
            int(time.time() * 1000),
            tuple(damage.read.content),
            damage.read.size,
            int(damage.read.modified),
        )
        write(store, layout.damage_mark(folder), record)


def set_aside(store: Store, name: str) -> str | None:
    """Rename a damaged folder or file to a unique name that nothing reads; None if it is not there any more.

    Only who holds the lease of what is made again may call this.

    Returns:
        The new name.
    """
    to = layout.set_aside(name, secrets.token_hex(4))
    try:
        store.move(name, to)
    except FileNotFoundError:
        return None
    return to


def marked_damage(store: Store, folder: str) -> Damage | None:
    """Read what somebody has marked as damaged in an artifact; None if nobody has, or of a file that was replaced."""
    mark = read_or_redo(store, layout.damage_mark(folder), DamageMark)
    if mark is None:
        return None
    try:
        is_present = _is_about(mark, store.facts(mark.file))
    except FileNotFoundError:
        return None
    problem = f"{mark.problem}, as was found on {mark.host}"
    return Damage(mark.file, problem, store.place(mark.file)) if is_present else None


def _is_about(mark: DamageMark, facts: Facts) -> bool:
    """Tell whether a mark is about the file of these facts, and not about one that it has taken the place of."""
    if mark.host == socket.gethostname():
        return facts.content == mark.content
    return (facts.size, int(facts.modified)) == (mark.size, mark.modified_s)


def _is_there(store: Store, name: str, read: Facts) -> bool:
    try:
        return store.facts(name) == read
    except FileNotFoundError:
        return False
