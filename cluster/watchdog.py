"""Watch processes by their heartbeats. Ray waits for a stopped process for ever; a watchdog does not."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass

import psutil

from cluster.process import Process, ask_node


@dataclass(frozen=True)
class MissedHeartbeat:
    """A process whose next heartbeat is overdue."""

    name: str
    process: Process
    seconds: float
    """Since the last heartbeat."""


class Watchdog:
    """The deadlines of the next heartbeats. Times are seconds of one monotonic clock, given by the caller."""

    def __init__(self) -> None:
        self._expected: dict[str, tuple[Process, float, float]] = {}

    def heartbeat(self, name: str, process: Process, now: float, timeout_s: float) -> None:
        """Record a heartbeat.

        Args:
            name: what is watched.
            process: to end if no further heartbeat comes.
            now: time of this heartbeat.
            timeout_s: seconds after which the next one is overdue.
        """
        self._expected[name] = (process, now, now + timeout_s)

    def forget(self, name: str) -> None:
        """Stop watching a name, if it is watched."""
        self._expected.pop(name, None)

    def expired(self, now: float) -> list[MissedHeartbeat]:
        """Return the heartbeats that are overdue; they are forgotten, so that each is returned once."""
        overdue = [
            MissedHeartbeat(name, process, now - last)
            for name, (process, last, deadline) in list(self._expected.items())
            if now > deadline
        ]
        for missed in overdue:
            self.forget(missed.name)
        return overdue


def kill(process: Process) -> bool:
    """Send SIGKILL to a process on this node. Returns False if it is not there any more."""
    try:
        if not process.is_same(psutil.Process(process.pid)):
            return False
        os.kill(process.pid, signal.SIGKILL)
    except (psutil.NoSuchProcess, ProcessLookupError):
        return False
    return True


def kill_in_cluster(process: Process, timeout_s: float = 30) -> bool:
    """Send SIGKILL to a process on whatever node it runs, by a small task there if that is another one."""
    import ray

    if process.node_id == ray.get_runtime_context().get_node_id():
        return kill(process)
    return bool(ask_node(kill, process.node_id, process, timeout_s=timeout_s))
