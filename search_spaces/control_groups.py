"""Find the control groups of the kernel that count and limit the memory of this process."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

PROC, CGROUPS = Path("/proc"), Path("/sys/fs/cgroup")


@dataclass(frozen=True)
class MemoryGroup:
    """A control group with a controller of memory."""

    folder: Path
    root: Path
    """Folder at which the tree of such groups is mounted."""
    version: Literal[1, 2]

    def with_parents(self) -> tuple[MemoryGroup, ...]:
        """Return this group and those that it lies in, whose limits hold for it, too."""
        inside = self.folder.relative_to(self.root)
        is_below = inside.parts and ".." not in inside.parts
        parents = [self.root / parent for parent in inside.parents] if is_below else []
        return (self, *(MemoryGroup(folder, self.root, self.version) for folder in parents))


def memory_groups(proc: Path = PROC, cgroups: Path = CGROUPS) -> Iterator[MemoryGroup]:
    """List where this process's group may be, of version 2 and of version 1 of the kernel's control groups.

    Args:
        proc: where the kernel's process file system is.
        cgroups: where the control groups are mounted.
    """
    groups = proc / "self" / "cgroup"
    for line in groups.read_text().splitlines() if groups.is_file() else ():
        _, controllers, path = line.split(":", 2)
        inside = path.lstrip("/")
        if not controllers:
            yield MemoryGroup(cgroups / inside, cgroups, 2)
            yield MemoryGroup(cgroups, cgroups, 2)  # a container may see its own as the root, and be told another path
        elif "memory" in controllers.split(","):
            yield MemoryGroup(cgroups / "memory" / inside, cgroups / "memory", 1)
            yield MemoryGroup(cgroups / "memory", cgroups / "memory", 1)
