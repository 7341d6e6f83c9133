"""Mark on storage which drivers have runs open on a tracking server, each with a mark of its own.

A driver that is killed leaves its mark, and so does one whose server was away to the end: the next command that can
reach the server closes all runs of the study, for those drivers, too.
"""

from __future__ import annotations

import secrets
from contextlib import suppress

from trainables.storage import layout
from trainables.storage.owner import Owner
from trainables.storage.store import Store


def mark_unclosed(store: Store, study: str) -> str:
    """Mark that this process has runs of a study open; returns the name of the mark."""
    mark = layout.unclosed_mark(study, secrets.token_hex(8))
    store.put(mark, Owner.here().to_bytes())
    return mark


def remove_closed(store: Store, study: str, mark: str) -> None:
    """Remove a mark, and those of drivers that have ended: all runs of the study are closed, but for living drivers'.

    Args:
        store: the storage.
        study: its name.
        mark: of this process.
    """
    for closed in (mark, *_marks_of_ended_drivers(store, study)):
        store.remove(closed)


def has_unclosed(store: Store, study: str) -> bool:
    """Tell whether a driver that has ended has left runs of a study open."""
    return bool(_marks_of_ended_drivers(store, study))


def _marks_of_ended_drivers(store: Store, study: str) -> list[str]:
    prefix = f"{layout.run_leases(study)}/"
    living = {store.lease_owner(lease) for lease in store.leases() if lease.startswith(prefix)}
    marks = store.list(layout.unclosed_runs(study))
    ended = []
    for mark in marks:
        with suppress(FileNotFoundError):  # its driver has closed its runs meanwhile
            if Owner.parse(store.get(mark)) not in living - {None}:
                ended.append(mark)
    return ended
