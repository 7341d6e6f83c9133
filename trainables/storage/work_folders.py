"""Say which process works in a folder of storage, and tell whether it has ended.

Folders that several processes may write to at one time, each in one of its own: sources that are being read, unfinished
checkpoints, features in progress.
"""

from __future__ import annotations

from trainables.storage import layout
from trainables.storage.owner import Owner
from trainables.storage.store import Store

ABANDONED_AFTER_S = 86_400.0
"""A folder of a process that nobody here can look for, as it ran on another machine or in another container, counts as
abandoned when nothing was written to it for so long."""


def write_owner(store: Store, folder: str) -> None:
    """Write down that this process works in a folder, before anything else is in it."""
    store.put(layout.owner_in(folder), Owner.here().to_bytes())


def has_ended(store: Store, folder: str) -> bool:
    """Tell whether the process that works in a folder has surely ended: it is in sight of this one, and gone."""
    owner = _owner(store, folder)
    return owner is not None and owner.is_gone()


def is_of_this_process(store: Store, folder: str) -> bool:
    """Tell whether this process works in a folder, or has worked there."""
    return _owner(store, folder) == Owner.here()


def is_abandoned(store: Store, folder: str) -> bool:
    """Tell whether nobody works in a folder any more: its process is gone, or out of sight and silent for long.

    The time of the silence is the storage's: clocks of hosts differ.
    """
    owner = _owner(store, folder)
    if owner is not None and owner.is_in_sight():
        return owner.is_gone()
    written = [entry.modified for entry in store.walk(folder)]
    return bool(written) and store.now() - max(written) > ABANDONED_AFTER_S


def _owner(store: Store, folder: str) -> Owner | None:
    """Read which process works in a folder; None where nothing tells it."""
    try:
        return Owner.parse(store.get(layout.owner_in(folder)))
    except FileNotFoundError:
        return None
