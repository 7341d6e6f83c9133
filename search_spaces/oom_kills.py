"""Count the processes that the kernel has killed for want of memory: a killed process cannot say so itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

COUNTED = "oom_kill"


def count_oom_kills(proc: Path = Path("/proc"), cgroups: Path = Path("/sys/fs/cgroup")) -> int | None:
    """Count the kills in this process's control group so far, or on this machine where the group has no counter.

    Workers of one node share the control group of its raylet. None where the kernel tells neither.

    Args:
        proc: where the kernel's process file system is.
        cgroups: where the control groups are mounted.
    """
    for file in (*_group_files(proc, cgroups), proc / "vmstat"):
        if file.is_file():
            counts = dict(line.split()[:2] for line in file.read_text().splitlines() if len(line.split()) >= 2)
            if COUNTED in counts:
                return int(counts[COUNTED])
    return None


def _group_files(proc: Path, cgroups: Path) -> Iterator[Path]:
    """List the files that may count the kills in this process's control group, of version 2 and of version 1."""
    groups = proc / "self" / "cgroup"
    for line in groups.read_text().splitlines() if groups.is_file() else ():
        _, controllers, path = line.split(":", 2)
        inside = path.lstrip("/")
        if not controllers:
            yield cgroups / inside / "memory.events"
            yield cgroups / "memory.events"  # a container may see its own group as the root, and be told another path
        elif "memory" in controllers.split(","):
            yield cgroups / "memory" / inside / "memory.oom_control"
            yield cgroups / "memory" / "memory.oom_control"
