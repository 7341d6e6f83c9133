"""Hold the leases of a run: all of a trial's or none, renewed while it runs."""

from __future__ import annotations

import errno
import logging
import threading
from collections.abc import Iterable, Sequence

from trainables.storage import layout
from trainables.storage.lease import Lease
from trainables.storage.owner import Owner
from trainables.storage.store import Store

RENEW_EVERY_S = 10.0
"""A sixth of the silence after which others may take a lease over."""

logger = logging.getLogger(__name__)


class Leases:
    """Leases of one owner, this run. Safe to use from several threads."""

    def __init__(self, store: Store, owner: Owner | None = None):
        self._store, self._owner = store, owner or Owner.here()
        self._held: dict[str, Lease] = {}
        self._lock = threading.Lock()

    @property
    def held(self) -> tuple[str, ...]:
        """Names of the leases that are held."""
        with self._lock:
            return tuple(self._held)

    def take(self, names: Sequence[str]) -> str | None:
        """Take all of these leases, or none. Returns the name of one that cannot be had, else None.

        Raises:
            OSError: storage is away or full; none is held then.
        """
        taken: list[str] = []
        for name in names:
            with self._lock:
                kept = self._held.get(name)
            if kept is not None and kept.is_held():  # it could not be released when the storage was away
                taken.append(name)
                continue
            try:
                lease = self._store.lease(name, self._owner)
            except OSError:
                self.release(taken)
                raise
            if lease is None:
                self.release(taken)
                return name
            with self._lock:
                self._held[name] = lease
            taken.append(name)
        return None

    def release(self, names: Iterable[str]) -> None:
        """Release leases; names that are not held are ignored.

        Of a storage that is away none can be released: they stay held, for the next attempt at the same work.
        """
        is_away = not self._store.exists(layout.LEASES)
        for name in tuple(names):
            with self._lock:
                lease = self._held.pop(name, None)  # first, or a renewal meanwhile would take it for lost
            if lease is None:
                continue
            try:
                if is_away:
                    raise FileNotFoundError(errno.ENOENT, "the storage is away", name)
                lease.release()
            except OSError as error:
                logger.warning("the lease %s could not be released: %s", name, error)
                with self._lock:
                    self._held[name] = lease

    def renew(self) -> list[str]:
        """Renew all leases that are held. Returns the names of those that were lost meanwhile.

        Storage that cannot be reached loses nothing by itself: whether a lease was taken over shows when it is back.
        """
        with self._lock:
            held = dict(self._held)
        lost = []
        for name, lease in held.items():
            try:
                kept = lease.renew()
            except OSError as error:
                logger.warning("the lease %s could not be renewed: %s", name, error)
                continue
            if not kept and not self._store.exists(layout.LEASES):
                logger.warning("the lease %s could not be renewed: the storage is away", name)
            elif not kept:
                with self._lock:
                    if self._held.get(name) is not lease:
                        continue  # released between the two looks
                    del self._held[name]
                lost.append(name)
        return lost

    def release_all(self) -> None:
        """Release every lease that is held."""
        self.release(self.held)
