"""Processes that have gone silent. Ray waits for a stopped process for ever; a watchdog does not."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass

import psutil


@dataclass(frozen=True)
class Process:
    """A process somewhere in the cluster. `started` (seconds since the epoch) tells it from a later one of its pid."""

    node_id: str
    pid: int
    started: float


@dataclass(frozen=True)
class Silence:
    name: str
    process: Process
    seconds: float
    """Since the last sign of life."""


class Watchdog:
    """Who must give a sign until when. Times are seconds of one monotonic clock, given by the caller."""

    def __init__(self) -> None:
        self._expected: dict[str, tuple[Process, float, float]] = {}

    def note(self, name: str, process: Process, now: float, patience_s: float) -> None:
        """Note a sign of life, and how long the next one may take."""
        self._expected[name] = (process, now, now + patience_s)

    def forget(self, name: str) -> None:
        self._expected.pop(name, None)

    def silent(self, now: float) -> list[Silence]:
        """Return all whose time is up; they are forgotten, so that each is returned once."""
        late = [
            Silence(name, process, now - noted)
            for name, (process, noted, deadline) in list(self._expected.items())
            if now > deadline
        ]
        for silence in late:
            self.forget(silence.name)
        return late


def kill(process: Process) -> bool:
    """SIGKILL a process on this node; False if it is not there any more."""
    try:
        found = psutil.Process(process.pid)
        if abs(found.create_time() - process.started) > 2:
            return False
        os.kill(process.pid, signal.SIGKILL)
    except (psutil.NoSuchProcess, ProcessLookupError):
        return False
    return True


def kill_in_cluster(process: Process, timeout_s: float = 30) -> bool:
    """SIGKILL a process on whatever node it runs, by a small task there if that is another one."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    if process.node_id == ray.get_runtime_context().get_node_id():
        return kill(process)
    there = NodeAffinitySchedulingStrategy(process.node_id, soft=False)
    task = ray.remote(num_cpus=0, max_retries=0, scheduling_strategy=there)(kill)
    return bool(ray.get(task.remote(process), timeout=timeout_s))
