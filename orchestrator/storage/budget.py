"""Keep a study within the disk budget of its study file while it runs."""

from __future__ import annotations

import threading
from collections.abc import Callable

from orchestrator.storage.collect import GRACE_S, free
from orchestrator.storage.freeable import Freeable
from orchestrator.storage.leftovers import find_leftovers
from search_spaces.plan import Plan
from search_spaces.quantities import bytes_text
from trainables.storage import layout
from trainables.storage.inventory import Inventory, take_inventory
from trainables.storage.store import Store

_AT_ONCE = frozenset(("checkpoints", "progress"))
"""Leftovers whose result is there and which are leased: nobody writes them, however young they are."""


class DiskBudget:
    """What a study takes of a storage, and what it may. Its methods may be called from any thread.

    Args:
        plan: of the study, with its budget.
        store: the storage.
        next_bytes: the largest that its run writes at once, such as a step checkpoint: it must fit as well.
        tell: shows a sentence to people.
    """

    def __init__(self, plan: Plan, store: Store, next_bytes: int, tell: Callable[[str], None]):
        self._budget, self._store, self._next, self._tell = plan.disk_budget_bytes, store, next_bytes, tell
        nodes = [node for node in plan.nodes.values() if node.key is not None]
        stages = [layout.stage_folder(node.key or "") for node in nodes if node.kind == "stage"]
        features = [layout.features_folder(node.key or "") for node in nodes if node.kind == "features"]
        in_progress = [layout.features_aside(node.key or "") for node in nodes if node.kind == "features"]
        self._folders = [*dict.fromkeys((*stages, *features, *in_progress)), layout.study_folder(plan.study)]
        self._lock = threading.Lock()

    def trouble(self) -> str | None:
        """Say why nothing may be started now; None if there is room. Leftovers of the study are freed to make some."""
        if self._budget is None:
            return None
        with self._lock:
            inventory = self._look()
            if self._fits(inventory):
                return None
            freed = self._free_leftovers(inventory)
            if freed:
                self._tell(f"freed {bytes_text(freed)} of leftovers, as the study is near its disk budget")
                inventory = self._look()
        if self._fits(inventory):
            return None
        return (
            f"the study takes {bytes_text(inventory.size_bytes)} of its disk budget of {bytes_text(self._budget)}, and "
            f"what it writes next takes {bytes_text(self._next)} (raise storage.budget_gb, or see `ablate gc`)"
        )

    def _look(self) -> Inventory:
        return take_inventory(self._store, self._folders)

    def _fits(self, inventory: Inventory) -> bool:
        return self._budget is None or inventory.size_bytes + self._next <= self._budget

    def _free_leftovers(self, inventory: Inventory) -> int:
        """Free what `ablate gc` would of these folders; returns how many bytes that were."""
        items = self._leftovers(inventory)
        freed = free(items, self._store, 0.0, lambda: self._leftovers(self._look()))
        return sum(each.item.size_bytes for each in freed if each.kept is None)

    def _leftovers(self, inventory: Inventory) -> list[Freeable]:
        now = self._store.now()
        return [
            item
            for item in find_leftovers(inventory, self._store, {}, now)
            if item.kind in _AT_ONCE or item.newest < now - GRACE_S
        ]
