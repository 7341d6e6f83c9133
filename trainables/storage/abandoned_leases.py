"""Release the leases of processes that were killed: nobody may ever want them again."""

from __future__ import annotations

from trainables.storage.owner import Owner
from trainables.storage.store import Store


def release_abandoned(store: Store, below: str = "") -> None:
    """Release the leases whose owners are gone.

    Args:
        store: the storage.
        below: folder of the leases that are looked at, below that of all; default: all.
    """
    for name in store.leases():
        if name.startswith(f"{below}/" if below else "") and store.lease_owner(name) is None:
            lease = store.lease(name, Owner.here())
            if lease is not None:
                lease.release()
