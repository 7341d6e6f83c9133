"""Name, mark and set aside what is damaged on storage. No torch.

Damage that only the content of a file shows is found by whoever reads it. It is marked in the folder of the artifact:
from then on it counts as damaged for everyone, and whoever needs it next makes it again.
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
from trainables.storage.records import FoundDamage
from trainables.storage.store import Store


@dataclass(frozen=True)
class Damage:
    """What is wrong with one file of an artifact."""

    file: str
    """Name on storage."""
    problem: str
    """The end of "must be whole, but ..."."""
    place: str
    """Where a person finds the file."""

    def __str__(self) -> str:
        return f"{self.place}: must be whole, as it was written, but {self.problem}"


class DamagedArtifactError(InputError):
    """An artifact turned out to be damaged where it was read; it is marked, and made again by whoever next needs it."""


def refuse_damaged(store: Store, folder: str, found: Damage) -> NoReturn:
    """Mark an artifact as damaged and refuse to read it.

    Args:
        store: where it is.
        folder: of the artifact.
        found: what is wrong.

    Raises:
        DamagedArtifactError: that names file, damage and way out.
    """
    mark_damage(store, folder, found)
    raise DamagedArtifactError(
        f"must be whole, as it was written, but {found.problem}",
        place=found.place,
        way_out="Run the study again: what it needs of this is made anew, everything else is kept.",
    )


def changed_content() -> str:
    """Say that the content of a file is another one than was written."""
    return "its content is not what was written (its digest differs)"


def changed_row(row: int) -> str:
    """Say that the content of a row is another one than was written."""
    return f"the content of row {row:,} is not what was written (its digest differs)"


def mark_damage(store: Store, folder: str, found: Damage) -> None:
    """Write down what was found damaged in an artifact, so that it counts as damaged for everyone.

    Args:
        store: where it is.
        folder: of the artifact.
        found: what is wrong.
    """
    record = FoundDamage(found.file, found.problem, socket.gethostname(), int(time.time() * 1000))
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


def found_before(store: Store, folder: str) -> Damage | None:
    """Read what somebody has marked as damaged in an artifact; None if nobody has."""
    mark = read_or_redo(store, layout.damage_mark(folder), FoundDamage)
    if mark is None:
        return None
    return Damage(mark.file, f"{mark.problem}, as was found on {mark.host}", store.place(mark.file))
