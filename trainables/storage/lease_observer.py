"""Remember what one process has seen of leases, and so for how long each has given no sign of life."""

from __future__ import annotations

import time
from pathlib import Path

LONGEST_GAP_S = 15.0
"""Of the time between two looks at a lease, so much counts as silence at most; a holder renews more often."""

Sight = tuple[int, float, float]
"""The time of a lease in ns, when it was last looked at and for how long it has stood still, in seconds."""


class Observer:
    """What one process has seen of leases: how long each has given no sign of life, by this process's own clock."""

    def __init__(self) -> None:
        self._seen: dict[Path, tuple[Path, Sight]] = {}

    def is_new(self, entry: Path) -> bool:
        """Tell whether a lease's file was not looked at before."""
        return self._seen.get(entry.parent, (None,))[0] != entry

    def silence(self, entry: Path, renewed_ns: int) -> float:
        """Note the time of a lease's file, and return for how many seconds it has been seen to stand still."""
        now = time.monotonic()
        file, (last_renewed_ns, looked, silent) = self._seen.get(entry.parent, (entry, (renewed_ns, now, 0.0)))
        is_same = file == entry and last_renewed_ns == renewed_ns
        silent = silent + min(now - looked, LONGEST_GAP_S) if is_same else 0.0
        self._seen[entry.parent] = (entry, (renewed_ns, now, silent))
        return silent
