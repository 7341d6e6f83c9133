"""Define what can be freed of a storage: kinds of leftovers and of unneeded results, and why nobody needs them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from search_spaces.quantities import Device
from trainables.storage.inventory import Unit

LeftoverKind = Literal["checkpoints", "progress", "answers", "asides", "preparing", "scratch", "leases"]
"""What runs have left that no later run will use."""

UnneededKind = Literal["evaluations", "stages", "trials", "superseded", "features", "data", "pictures"]
"""What is whole, and what nothing that is kept refers to."""

FreeableKind = LeftoverKind | UnneededKind

REASONS: Mapping[FreeableKind, str] = {
    "checkpoints": "step checkpoints of finished stages",
    "progress": "features in progress of which complete ones are there",
    "answers": "answers in progress of finished evaluations",
    "asides": "files that a killed process was writing",
    "preparing": "sources that a killed process was reading",
    "scratch": "files with which a killed process was trying out the storage",
    "leases": "leases of processes that have ended",
    "evaluations": "scores of removed arms alone",
    "stages": "stages that no trial of any study needs",
    "trials": "trials of removed arms",
    "superseded": "trials set aside when their data had changed",
    "features": "features that no unfinished trial reads, complete or in progress",
    "data": "prepared sources that no unfinished trial and no report reads",
    "pictures": "pictures of no prepared source that stays",
}
"""In the order in which they are removed: a kill in between leaves what names the rest for the next time."""


@dataclass(frozen=True)
class Freeable:
    """Folder or file that can be freed."""

    kind: FreeableKind
    name: str
    """On storage; all of it is removed."""
    size_bytes: int
    files: int
    newest: float
    """When something in it was last written, by the storage's clock."""
    studies: tuple[str, ...] = ()
    """That refer to it or did; none where that is not known."""
    lease: str | None = None
    """Lease without which it must not be touched."""
    gpu_seconds: float = 0.0
    """What making it again would cost."""
    device: Device = "device"
    """What these seconds are of, where its result says it."""


def freeable(
    kind: FreeableKind,
    unit: Unit,
    studies: frozenset[str] = frozenset(),
    lease: str | None = None,
    gpu_seconds: float = 0.0,
    device: Device = "device",
) -> Freeable:
    """Make the entry of a unit of the inventory that can be freed.

    Args:
        kind: why.
        unit: which.
        studies: that refer to it.
        lease: without which it must not be touched.
        gpu_seconds: what making it again would cost.
        device: what these seconds are of.
    """
    size, files = unit.size_bytes, unit.num_files
    return Freeable(kind, unit.name, size, files, unit.newest, tuple(sorted(studies)), lease, gpu_seconds, device)
