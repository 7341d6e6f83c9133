"""Find what can be freed of a storage, and free it beside running studies.

What is freed was found twice: once to be shown, and again when it is about to be removed, as a study may have been run
meanwhile. Whatever others may be writing is left alone: what is younger than the grace period, and what another process
holds the lease on. A folder is renamed before it is emptied, so that a kill leaves it whole or as a leftover.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from orchestrator.storage.declared import declared_trials
from orchestrator.storage.freeable import REASONS, Freeable, UnneededKind
from orchestrator.storage.leftovers import find_leftovers, is_in_use
from orchestrator.storage.references import read_plans, read_references, studies_by_key
from orchestrator.storage.unneeded import Redoable, find_gone, find_redoable, find_superseded, what_is_needed
from search_spaces.errors import InputProblemsError
from trainables.storage import layout
from trainables.storage.inventory import Inventory, take_inventory
from trainables.storage.owner import Owner
from trainables.storage.store import Store

GRACE_S = 3600.0
"""What was written more recently is left alone: some of it, such as an evaluation's files, is under no lease."""

_ORDER = {kind: number for number, kind in enumerate(REASONS)}
_UNNEEDED = frozenset(get_args(UnneededKind))


@dataclass(frozen=True)
class Selection:
    """What is to be freed besides leftovers."""

    gone: bool = False
    """Whatever removed arms alone have made, and stages that no study refers to."""
    redoable: tuple[Redoable, ...] = ()
    superseded_after_s: float | None = None
    """Trials that were set aside so long ago; None for none."""
    keep: tuple[str, ...] = ()
    """Studies of which nothing is removed but leftovers."""
    grace_s: float = GRACE_S

    @property
    def needs_references(self) -> bool:
        """Whether it must be known what every study refers to."""
        return self.gone or bool(self.redoable) or self.superseded_after_s is not None


def find_freeable(store: Store, root: Path, selection: Selection) -> tuple[Inventory, list[Freeable]]:
    """Take the inventory of a storage, and find what can be freed, in the order in which it is removed.

    Args:
        store: the storage.
        root: its absolute path.
        selection: what is to be freed besides leftovers.

    Raises:
        InputError: something else than leftovers is to be freed, and what a study refers to cannot be read.
    """
    inventory, now = take_inventory(store), store.now()
    before = now - selection.grace_s
    if not selection.needs_references:
        items = find_leftovers(inventory, store, studies_by_key(read_plans(store)[0]), before)
    else:
        references = read_references(store, inventory)
        if references.problems:
            raise InputProblemsError(references.problems)
        declared = declared_trials(
            store, root, references, every=selection.gone or bool(selection.redoable), keep=selection.keep
        )
        too_old = None if selection.superseded_after_s is None else now - selection.superseded_after_s
        needs = what_is_needed(references, declared, selection.keep, too_old)
        items = find_leftovers(inventory, store, references.studies_of, before)
        if selection.gone:
            items += find_gone(needs, inventory, store, references)
        items += find_superseded(needs, inventory)
        items += find_redoable(needs, inventory, store, references, selection.redoable, before)
    in_use = is_in_use(store)
    items = [item for item in items if item.newest < now - _grace_s(item, in_use, selection.grace_s)]
    return inventory, _outermost([item for item in items if item.name not in inventory.foreign])


def _grace_s(item: Freeable, in_use: bool, grace_s: float) -> float:
    """Return for how long an item is left alone: what is under no lease, for an hour at least while a run goes on.

    A run writes such things all the time (files that get their name in a moment, data that it is still going to name in
    its plan), and would take its storage to be away if they vanished.
    """
    return max(grace_s, GRACE_S) if item.lease is None and in_use else grace_s


def _outermost(items: Sequence[Freeable]) -> list[Freeable]:
    """Sort what can be freed into the order of removal, each name once: for the reason that comes first."""
    by_name: dict[str, Freeable] = {}
    for item in sorted(items, key=lambda item: (_ORDER[item.kind], item.name)):
        by_name.setdefault(item.name, item)
    return list(by_name.values())


@dataclass(frozen=True)
class Freed:
    """What became of one item."""

    item: Freeable
    kept: str | None
    """Why it is still there; None if it is gone."""


def free(
    items: Sequence[Freeable], store: Store, grace_s: float, find_again: Callable[[], Sequence[Freeable]]
) -> Iterator[Freed]:
    """Remove what can be freed, one by one.

    Args:
        items: as they were shown, in the order of removal.
        store: the storage.
        grace_s: whatever was written more recently is left alone; of what is under no lease more (`_grace_s`).
        find_again: finds what can be freed now: called at first, and whenever a study was planned meanwhile.
    """
    plans = None
    allowed: set[tuple[str, str]] = set()
    for item in items:
        current = _plans_as_of_now(store) if item.kind in _UNNEEDED or plans is None else plans
        if current != plans:
            plans, allowed = current, {(again.kind, again.name) for again in find_again()}
        is_allowed = (item.kind, item.name) in allowed
        yield Freed(item, _free(item, store, grace_s) if is_allowed else "it is needed, in use or gone by now")


def _plans_as_of_now(store: Store) -> tuple[tuple[str, object], ...]:
    """Tell versions of the plans on storage apart, without reading them."""
    stamps = []
    for study in store.folders(layout.STUDIES):
        try:
            stamps.append((study, store.facts(layout.plan_file(study))))
        except FileNotFoundError:
            continue
    return tuple(stamps)


def _free(item: Freeable, store: Store, grace_s: float) -> str | None:
    """Remove one item under its lease; return why it is still there, or None."""
    lease = None
    if item.lease is not None:
        lease = store.lease(item.lease, Owner.here())
        if lease is None:
            return "another process holds its lease"
    try:
        if item.kind == "leases":
            return None  # to take an abandoned lease and to release it is to remove it
        in_use = item.lease is None and is_in_use(store)
        if _newest(item.name, store) >= store.now() - _grace_s(item, in_use, grace_s):
            return "it was written to just now"
        store.remove(item.name)
        return "the file system did not let go of it" if store.exists(item.name) else None
    except OSError as error:
        return f"it cannot be removed ({error.strerror or error})"
    finally:
        if lease is not None:
            lease.release()


def _newest(name: str, store: Store) -> float:
    """Find when a file, or something in a folder, was last written; a folder without files was so long ago."""
    newest = max((entry.modified for entry in store.walk(name)), default=0.0)
    try:
        return max(newest, 0.0 if newest else store.facts(name).modified)
    except OSError:
        return newest
