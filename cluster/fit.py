"""Does an ask fit a cluster, and how many trials run at once. Plain data in, plain data out: no Ray."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cluster.launcher import Shape
from search_spaces.errors import InputError

ROUNDING = 1e-6
"""Fractions of a device add up in binary floating point; Ray itself counts in units of 1e-4."""


@dataclass(frozen=True)
class Room:
    """What one node of a cluster has, or has left."""

    name: str
    cpus: float
    gpus: float = 0

    def holds(self, shape: Shape) -> int:
        """How many workers of this shape fit into this room, at most as many as the shape has."""
        by_cpus = (self.cpus + ROUNDING) // shape.cpus_per_worker
        by_gpus = (self.gpus + ROUNDING) // shape.gpus_per_worker if shape.gpus_per_worker else by_cpus
        return int(max(0, min(by_cpus, by_gpus, shape.workers)))

    def less(self, shape: Shape, workers: int) -> Room:
        """What is left when so many workers of this shape have been seated (negative numbers give back)."""
        return Room(self.name, self.cpus - workers * shape.cpus_per_worker, self.gpus - workers * shape.gpus_per_worker)


def place(shape: Shape, free: Sequence[Room]) -> tuple[int, ...] | None:
    """How many workers go to each room, or None if they do not all fit.

    One room for all of them if there is one, the tightest; else as few rooms as possible, as Ray's PACK does.
    """
    holds = [room.holds(shape) for room in free]
    whole = [i for i, count in enumerate(holds) if count == shape.workers]
    if whole:
        tightest = min(whole, key=lambda i: (free[i].gpus, free[i].cpus))
        return tuple(shape.workers if i == tightest else 0 for i in range(len(free)))
    seats, missing = [0] * len(free), shape.workers
    for i in sorted(range(len(free)), key=lambda i: -holds[i]):
        seats[i] = min(missing, holds[i])
        missing -= seats[i]
    return None if missing else tuple(seats)


def seated(shape: Shape, free: Sequence[Room], seats: Sequence[int]) -> tuple[Room, ...]:
    """The rooms after these workers have been seated."""
    return tuple(room.less(shape, count) for room, count in zip(free, seats, strict=True))


def at_once(shape: Shape, nodes: Sequence[Room], limit: int = 10_000) -> int:
    """How many trials of this shape an empty cluster runs at the same time."""
    count, free = 0, tuple(nodes)
    while count < limit and (seats := place(shape, free)) is not None:
        free, count = seated(shape, free, seats), count + 1
    return count


def impossible(asks: Mapping[str, Shape], nodes: Sequence[Room]) -> dict[str, str]:
    """Name of an ask (a trial or an arm) -> why this cluster can never meet it, even when it is empty."""
    reasons: dict[Shape, str | None] = {}
    for shape in asks.values():
        if shape not in reasons:
            met = place(shape, nodes) is not None
            reasons[shape] = None if met else f"asks for {shape}, but the cluster has {describe(nodes)}"
    return {name: reason for name, shape in asks.items() if (reason := reasons[shape]) is not None}


def refuse_impossible(asks: Mapping[str, Shape], nodes: Sequence[Room]) -> None:
    """Raises InputError if an ask can never be met: waiting for it would last for ever."""
    problems = impossible(asks, nodes)
    if not problems:
        return
    name, reason = next(iter(problems.items()))
    others = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    raise InputError(
        f"every trial must fit into the cluster, but {name} {reason}{others}",
        key="resources",
        way_out="Ask for fewer workers or devices under `resources`, or give a larger cluster with --address.",
    )


def describe(nodes: Sequence[Room]) -> str:
    """For people: ``2 CPU`` or ``2 nodes: 8 CPU and 4 GPU, 16 CPU``."""
    each = [f"{room.cpus:g} CPU" + (f" and {room.gpus:g} GPU" if room.gpus else "") for room in nodes]
    if len(each) == 1:
        return each[0]
    return f"{len(each)} nodes: {', '.join(each)}" if each else "no node"


def rooms(nodes: Iterable[Mapping[str, object]]) -> tuple[Room, ...]:
    """From what `ray.nodes()` returns: the nodes that are alive, in a stable order."""
    found = []
    for node in nodes:
        resources = node.get("Resources")
        if node.get("Alive") and isinstance(resources, Mapping):
            found.append(Room(str(node.get("NodeID")), float(resources.get("CPU", 0)), float(resources.get("GPU", 0))))
    return tuple(sorted(found, key=lambda room: room.name))


def this_machine(cpus: int | None = None) -> tuple[Room, ...]:
    """The room of an embedded cluster: the CPUs that this process may use (or `cpus`) and the GPUs it can see."""
    return (Room("this machine", cpus or usable_cpus(), visible_gpus()),)


def usable_cpus() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def visible_gpus(driver: Path = Path("/proc/driver/nvidia/gpus")) -> int:
    """NVIDIA devices without importing torch: what the driver lists, unless CUDA_VISIBLE_DEVICES chooses."""
    listed = len(list(driver.iterdir())) if driver.is_dir() else 0
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is None:
        return listed
    names = [name for name in chosen.split(",") if name.strip() not in ("", "-1", "NoDevFiles")]
    return min(listed, len(names))
