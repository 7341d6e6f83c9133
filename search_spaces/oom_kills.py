"""Count the processes that the kernel has killed for want of memory: a killed process cannot say so itself."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from search_spaces.control_groups import CGROUPS, PROC, memory_groups

COUNTED = "oom_kill"

_COUNTERS: dict[Literal[1, 2], str] = {1: "memory.oom_control", 2: "memory.events"}
"""File of a control group with the count, by version."""


def count_oom_kills(proc: Path = PROC, cgroups: Path = CGROUPS) -> int | None:
    """Count the kills in this process's control group so far, or on this machine where the group has no counter.

    Workers of one node share the control group of its raylet. None where the kernel tells neither.

    Args:
        proc: where the kernel's process file system is.
        cgroups: where the control groups are mounted.
    """
    counters = [group.folder / _COUNTERS[group.version] for group in memory_groups(proc, cgroups)]
    for file in (*counters, proc / "vmstat"):
        if file.is_file():
            counts = dict(line.split()[:2] for line in file.read_text().splitlines() if len(line.split()) >= 2)
            if COUNTED in counts:
                return int(counts[COUNTED])
    return None
