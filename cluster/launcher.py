"""The contract of a launcher, which starts the workers of one trial from code that it is given and does not know.

`search_spaces.worker_contract` says who calls what, in which order, and what the answers are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pkgutil import resolve_name
from typing import Any, ClassVar, Protocol

from search_spaces.worker_contract import Failed, Group, Member, NoRoom, RankInfo


@dataclass(frozen=True, order=True)
class ResourceRequest:
    """The workers that one trial needs, and the CPUs and GPUs of each. A group serves trials of equal requests."""

    workers: int = 1
    cpus_per_worker: float = 1
    gpus_per_worker: float = 0
    avoided: tuple[str, ...] = ()
    """Ids of nodes that have lost attempts of trials: no worker is placed there."""
    labels: tuple[tuple[str, str], ...] = ()
    """Label of nodes -> selector of its value, sorted (`search_spaces.node_labels`): workers are placed only where all
    of them fit."""

    def __str__(self) -> str:
        gpus = f" and {self.gpus_per_worker:g} GPU" if self.gpus_per_worker else ""
        workers = "1 worker" if self.workers == 1 else f"{self.workers} workers"
        where = ", ".join(f"{key} {selector}" for key, selector in self.labels)
        return f"{workers} x {self.cpus_per_worker:g} CPU{gpus}{f' on nodes with {where}' if where else ''}"

    @property
    def anywhere(self) -> ResourceRequest:
        """What is asked for, without the nodes that are avoided."""
        return replace(self, avoided=()) if self.avoided else self

    @property
    def cpus(self) -> float:
        return self.workers * self.cpus_per_worker

    @property
    def devices(self) -> float:
        """Devices whose seconds a trial costs: a worker counts as its share of a GPU, or as one."""
        return self.workers * (min(1.0, self.gpus_per_worker) or 1.0)

    @property
    def gpus(self) -> float:
        return self.workers * self.gpus_per_worker

    @property
    def threads(self) -> int:
        """Threads of each worker."""
        return max(1, int(self.cpus_per_worker))

    def bundle(self) -> dict[str, float]:
        """Return the Ray resources of one worker."""
        gpus = {"GPU": float(self.gpus_per_worker)} if self.gpus_per_worker else {}
        return {"CPU": float(self.cpus_per_worker), **gpus}


@dataclass(frozen=True)
class MemberCode:
    """Import path ``module:name`` of a callable that makes a member; only worker processes import it."""

    path: str
    options: Mapping[str, Any] = field(default_factory=dict)

    def make(self, rank_info: RankInfo) -> Member:
        """Import the code and make this process's member. Whatever that raises is raised."""
        member: Member = resolve_name(self.path)(rank_info=rank_info, **self.options)
        return member


@dataclass(frozen=True)
class TrialRoom:
    """What the workers of one trial are started with."""

    name: str
    """Of the trial, for people."""
    request: ResourceRequest
    labels: Mapping[str, str] = field(default_factory=dict)
    """Label -> selector of its value, of the nodes on which they may be placed; empty for all nodes."""
    on_one_node: bool = False
    """Place all of them on one node, and wait for it, rather than apart."""

    @property
    def strategy(self) -> str:
        """Ray's name of how they are placed."""
        return "STRICT_PACK" if self.on_one_node else "PACK"


class Launcher(Protocol):
    """A maker of worker groups. It is pickled: made on the driver, used in the process of each trial."""

    keeps_groups: ClassVar[bool]
    """Whether a group serves the next trial of an equal request; else it ends with its trial, and so does the trial's
    own process."""

    def bundles(self, request: ResourceRequest) -> list[dict[str, float]]:
        """Return the Ray resources to reserve for a trial; the first bundle is that of the trial's own process."""
        ...

    def start(self, code: MemberCode, trial: TrialRoom) -> Group | Failed | NoRoom:
        """Make a group for the calling trial.

        Args:
            code: makes the members.
            trial: what it needs, and where it may be placed.

        Returns:
            The group; the failure of the start, of which nothing is left running; or that there is no room yet where
            the launcher reserves some by itself: the trial asks again.
        """
        ...

    def give_room_back(self) -> None:
        """Remove what this launcher has reserved beside Tune for trials whose processes are gone.

        The driver calls it now and again, in a thread.
        """
        ...
