"""Read how much memory of a host a process may take: what its machine has, within what its control group allows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from search_spaces.control_groups import CGROUPS, PROC, MemoryGroup, memory_groups

_FILES = {
    1: ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    2: ("memory.max", "memory.current", "inactive_file"),
}
"""By version of the control groups: files of limit and usage, and the line of `memory.stat` that counts pages of files
which the kernel gives back before it kills."""


@dataclass(frozen=True)
class HostMemory:
    """Memory for this process and its neighbours in its control group."""

    total: int
    """Bytes."""
    free: int
    """Bytes that can be taken without swapping, and without a kill by the kernel."""


def host_memory(proc: Path = PROC, cgroups: Path = CGROUPS) -> HostMemory:
    """Read the memory of this host, or of its container, batch job or service where that has less.

    Args:
        proc: where the kernel's process file system is.
        cgroups: where the control groups are mounted.
    """
    machine = psutil.virtual_memory()
    limits = list(_limits(proc, cgroups))
    return HostMemory(
        total=min(machine.total, *(limit.total for limit in limits)) if limits else machine.total,
        free=min(machine.available, *(limit.free for limit in limits)) if limits else machine.available,
    )


def _limits(proc: Path, cgroups: Path) -> Iterator[HostMemory]:
    """List the limits of this process's groups and of those that they lie in; groups without a limit have none."""
    for own in memory_groups(proc, cgroups):
        for group in own.with_parents():
            limit = _limit(group)
            if limit is not None:
                yield limit


def _limit(group: MemoryGroup) -> HostMemory | None:
    limit_file, usage_file, given_back = _FILES[group.version]
    try:
        limit = (group.folder / limit_file).read_text().strip()
        usage = int((group.folder / usage_file).read_text())
        lines = (group.folder / "memory.stat").read_text().splitlines()
    except OSError:  # the root has none of these files, nor has a group that this process does not see
        return None
    if not limit.isdecimal():  # `max`
        return None
    cached = next((int(line.split()[1]) for line in lines if line.split()[:1] == [given_back]), 0)
    return HostMemory(int(limit), max(0, int(limit) - usage + cached))
