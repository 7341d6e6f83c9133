"""What a launcher is: it makes a group of workers for one trial, from code that it is given and does not know.

A *member* is that code, one object in each worker process. Answers travel as plain mappings: ``progress`` (what the
loop yielded last), ``units`` and ``seconds`` (how many units were advanced, and how long they took), or ``failure``
(``kind``, ``message``, ``traceback``, ``rank``). A failing member answers with its failure; only a dead or silent
process is found out by the group, which then answers in its place.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

Answer = Mapping[str, Any]


@dataclass(frozen=True, order=True)
class Shape:
    """What one trial asks of the cluster. Groups of equal shape can be reused by the next trial."""

    workers: int = 1
    cpus_per_worker: float = 1
    gpus_per_worker: float = 0

    def __str__(self) -> str:
        gpus = f" and {self.gpus_per_worker:g} GPU" if self.gpus_per_worker else ""
        workers = "1 worker" if self.workers == 1 else f"{self.workers} workers"
        return f"{workers} x {self.cpus_per_worker:g} CPU{gpus}"

    def bundle(self) -> dict[str, float]:
        """Ray resources of one worker."""
        gpus = {"GPU": float(self.gpus_per_worker)} if self.gpus_per_worker else {}
        return {"CPU": float(self.cpus_per_worker), **gpus}


@dataclass(frozen=True)
class Place:
    """A worker's seat in its group, known before any heavy import."""

    rank: int
    world: int
    local_rank: int
    """Index of this worker's device among those that it sees: 0 where each worker sees its own GPU only."""
    device: Literal["cpu", "cuda"]
    threads: int
    host: str
    """Address under which the other workers reach this one."""
    first_of_node: bool = False
    """No worker of the group with a lower rank is on this node."""


@dataclass(frozen=True)
class MemberCode:
    """Import path ``module:name`` of a callable that makes a member; only worker processes import it."""

    path: str
    options: Mapping[str, Any] = field(default_factory=dict)

    def make(self, place: Place) -> Member:
        member: Member = load(self.path)(place=vars(place), **self.options)
        return member


class Member(Protocol):
    """One worker's side of a group. No method raises for what goes wrong in the loop: that is an answer."""

    def listen(self) -> str:
        """Rank 0: open the rendezvous and return its address."""
        ...

    def join(self, address: str) -> None: ...
    def open(self, task: object) -> Answer: ...
    def advance(self, units: int) -> Answer: ...
    def close(self) -> None: ...


class Group(Protocol):
    """Workers that serve one trial after another."""

    @property
    def size(self) -> int: ...

    def open(self, task: object, timeout_s: float) -> Answer:
        """Begin a trial; whatever is left of the trial before is closed first."""
        ...

    def advance(self, units: int, timeout_s: float) -> Answer:
        """Advance the loop of every worker by the same count of units; rank 0's answer, or the failure."""
        ...

    def close(self, timeout_s: float) -> None:
        """End the trial that is open, if one is; the workers stay."""
        ...

    def kill(self) -> None: ...


class Launcher(Protocol):
    def bundles(self, shape: Shape) -> list[dict[str, float]]:
        """Ray resources to reserve for a trial of this shape; the first bundle is that of the trial's own process."""
        ...

    def start(self, code: MemberCode) -> Group | Answer:
        """Make a group inside the reservation of the calling trial, or answer with the failure."""
        ...


def load(path: str) -> Callable[..., Any]:
    """The object behind an import path ``module:name``."""
    module, _, name = path.partition(":")
    loaded: Callable[..., Any] = getattr(importlib.import_module(module), name)
    return loaded


def failure(kind: str, message: str, *, traceback: str = "", rank: int | None = None) -> Answer:
    return {"failure": {"kind": kind, "message": message, "traceback": traceback, "rank": rank}}
