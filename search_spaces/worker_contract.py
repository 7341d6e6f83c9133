"""The contract between a trial and its workers. Training code calls `Group`; launchers call `Member`.

The trial's own process (the *conductor*, a Ray Tune trial) calls, in this order:

1. `launcher.start(code, trial)`, inside the reservation that was made from `launcher.bundles(request)`, until it
   returns anything but `NoRoom`. In each worker process the launcher sets the environment, makes the member (which
   imports its libraries), then calls `listen` on rank 0 and `join` on all ranks. In a group of one in the conductor's
   own process both may be left out. It returns the `Group`, or a `Failed` and then has left no process behind.
2. `group.open(task)` once for each trial. A trial that is still open is closed first.
3. `group.advance(units)` until it returns an `Advanced` with a `TrialDone`, or a `Failed`. All ranks advance by the
   same count of units, because the loop yields equally often on all of them.
4. `group.close()` at any time between two calls: the trial ends, the workers stay. Then 2. again for the next trial.
5. `group.kill()` at the end, and after any `Failed`: a group that has failed is not used again.

Answers are values, not exceptions, so that they mean the same in this process and across processes; all are picklable.
A member returns what goes wrong in its loop; a group returns the failure of a process that has died or does not answer.
A group returns one failure for all ranks: the one that explains best why the others could not go on.

Time-outs: each call says how long all ranks together may take; after that the group returns `Failed("hung")` with the
rank that did not answer. A group of one that lives in the conductor's own process cannot watch itself and leaves
time-outs to whoever watches the conductor (`cluster.watchdog`). A launcher limits its own start.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from search_spaces.outcomes import FailureKind, Progress

Device = Literal["cpu", "cuda"]

LauncherName = Literal["gang", "ray-train"]
"""Who starts the workers of a trial; `cluster.launchers` makes each."""

LAUNCHER_NOTES: Mapping[LauncherName, str | None] = {
    "gang": None,
    "ray-train": "launcher ray-train: each trial is a run of Ray Train, about 20 s and six processes beside its work",
}
"""What whoever chooses a launcher should know of it; None for the default."""


@dataclass(frozen=True)
class RankInfo:
    """The rank of a worker in its group and the device it uses, known before any heavy import."""

    rank: int
    world: int
    local_rank: int
    """Index of this worker's device among those that it sees: 0 where each worker sees its own GPU only."""
    device: Device
    threads: int
    host: str
    """Address under which the other workers reach this one."""
    first_of_node: bool = False
    """No worker of the group with a lower rank is on this node."""


@dataclass(frozen=True, slots=True)
class Opened:
    """The trial is open: its loop is made, and nothing of it has run."""


@dataclass(frozen=True, slots=True)
class Advanced:
    """The loop has advanced, to the end of a node at the furthest."""

    progress: Progress
    """What the loop yielded last."""
    units: int
    """How many units were done: at least one, at most as many as were asked for."""
    seconds: float
    """Wall time of these units."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The attempt is over."""

    kind: FailureKind
    message: str
    """One line for people."""
    traceback: str = ""
    rank: int | None = None
    """The rank that failed; None if it concerns none of them in particular."""
    host: str | None = None
    """Host of the process that failed, as people call it; None where it is not known."""
    node_id: str | None = None
    """Ray's id of that host, which a later attempt can avoid."""
    gpu: str | None = None
    """GPU of that process, by the name that the driver knows it by on its host; None on a CPU."""
    is_consequence: bool = False
    """Whether the rank has failed only because another one has told it of its own failure, which explains more."""


@dataclass(frozen=True, slots=True)
class NoRoom:
    """The workers cannot be placed yet: others take the room that they need. Nothing of them is left."""


class Member(Protocol):
    """One worker's side of a group: made from code that the launcher is given and does not know.

    `open` and `advance` do not raise for what goes wrong in the loop: that is an answer. After a `Failed` of its loop a
    member can open the next trial.
    """

    def listen(self) -> str:
        """Open the meeting point of the group, on rank 0 only, and return its address."""
        ...

    def join(self, address: str) -> None:
        """Join the group that meets at `address`; returns when all ranks have."""
        ...

    def open(self, task: Any) -> Opened | Failed:
        """Begin a trial. `task` is picklable; launchers pass it on unread."""
        ...

    def advance(self, units: int) -> Advanced | Failed:
        """Advance the loop by at most so many units (1 or more), to the end of a node at the furthest."""
        ...

    def close(self) -> None:
        """End the trial that is open, if one is: its `finally` blocks run, the process stays. Does not raise."""
        ...


class Group(Protocol):
    """Workers that serve one trial after another. Calls come one at a time, from the conductor."""

    @property
    def size(self) -> int:
        """Number of its workers."""
        ...

    @property
    def is_own_process(self) -> bool:
        """Whether its worker is the conductor's own process, which cannot watch itself."""
        ...

    def open(self, task: object, timeout_s: float) -> Opened | Failed:
        """Begin a trial on all ranks; whatever is left of the trial before is closed first."""
        ...

    def advance(self, units: int, timeout_s: float) -> Advanced | Failed:
        """Advance the loop of every rank by the same count of units. Returns rank 0's answer, or the failure."""
        ...

    def close(self, timeout_s: float) -> None:
        """End the trial that is open, if one is; the workers stay."""
        ...

    def kill(self) -> None:
        """End every worker process but the conductor's own, whatever it is doing, and return within seconds.

        Their memory and devices are free as soon as they are gone; no `finally` block of their loop need run. A member
        in the conductor's own process is closed instead, and ends with it. May be called at any time, and twice.
        """
        ...


StartGroup = Callable[[str, str, bool], Group | Failed | NoRoom]
"""Start the workers of the calling trial, given its id, the selector of nodes on which they may be placed, and whether
that is to be one node."""
