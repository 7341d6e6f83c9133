"""Members of worker groups without trials: each counts three units, ends a node, and is done, unless told otherwise."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import ray

from cluster.launcher import Launcher, MemberCode, ResourceRequest, TrialRoom
from search_spaces.node_labels import NODE_LABEL
from search_spaces.outcomes import NodeDone, Progress, TrialDone, UnitDone
from search_spaces.worker_contract import Advanced, Failed, Group, NoRoom, Opened, RankInfo
from tests.support.fake_trials import hang_in_c
from tests.support.two_nodes import wait_for


@dataclass(frozen=True)
class FakeTask:
    """What one rank does at its second unit, in place of counting."""

    name: str
    rank: int = 0
    does: Literal["count", "fail", "die", "hang", "stop"] = "count"


class FakeMember:
    """Leaves files in a folder: ``made-RANK`` (pid and rank), ``joined-RANK`` (address), ``closed-RANK`` (trials)."""

    def __init__(self, rank_info: RankInfo, folder: str):
        self._rank_info, self._folder = rank_info, Path(folder)
        self._open: tuple[FakeTask, Iterator[Progress]] | None = None
        ranks = (
            f"{os.getpid()} {rank_info.rank} of {rank_info.world} {os.environ['RANK']} of {os.environ['WORLD_SIZE']}"
        )
        (self._folder / f"made-{rank_info.rank}").write_text(ranks)

    def listen(self) -> str:
        return f"rank {self._rank_info.rank}'s address"

    def join(self, address: str) -> None:
        (self._folder / f"joined-{self._rank_info.rank}").write_text(address)

    def open(self, task: FakeTask) -> Opened | Failed:
        self.close()
        self._open = (task, self._count(task))
        return Opened()

    def advance(self, units: int) -> Advanced | Failed:
        if self._open is None:
            return Failed("error", "nothing is open", rank=self._rank_info.rank)
        for done in range(1, units + 1):
            try:
                progress = next(self._open[1])
            except ValueError as error:
                return Failed("error", str(error), "a traceback", self._rank_info.rank)
            if done == units or not isinstance(progress, UnitDone):
                return Advanced(progress, done, 0.1)
        raise ValueError(units)

    def close(self) -> None:
        if self._open is not None:
            with (self._folder / f"closed-{self._rank_info.rank}").open("a") as file:
                file.write(f"{self._open[0].name}\n")
        self._open = None

    def _count(self, task: FakeTask) -> Iterator[Progress]:
        yield UnitDone("n1", "count", 1, 3)
        if self._rank_info.rank == task.rank:
            _misbehave(task)
        yield UnitDone("n1", "count", 2, 3)
        yield UnitDone("n1", "count", 3, 3)
        yield NodeDone("n1")
        yield TrialDone()


def _misbehave(task: FakeTask) -> None:
    match task.does:
        case "fail":
            raise ValueError(f"{task.name} is broken")
        case "die":
            os.kill(os.getpid(), signal.SIGKILL)
        case "hang":
            hang_in_c()
        case "stop":
            os.kill(os.getpid(), signal.SIGSTOP)


class Conductor:
    """A trial's own process, as an actor: it starts a group and passes calls on to it."""

    def __init__(self, launcher: Launcher):
        self._launcher = launcher
        self._group: Group | None = None

    def start(self, code: MemberCode, request: ResourceRequest) -> Failed | NoRoom | int:
        """The size of the group, or why there is none."""
        labels = {NODE_LABEL: f"in({ray.get_runtime_context().get_node_id()})", "market": "!spot"}
        group = self._launcher.start(code, TrialRoom("fake", request, labels, on_one_node=True))
        if isinstance(group, Failed | NoRoom):
            return group
        self._group = group
        return group.size

    def call(self, method: Literal["open", "advance", "close", "kill"], *args: Any) -> Any:
        return getattr(self._group, method)(*args)


class ConductedGroup:
    """The driver's side of a conductor that runs in the reservation of its trial, as Ray Tune places it."""

    def __init__(self, launcher: Launcher, request: ResourceRequest):
        self._request = request
        bundles = launcher.bundles(request)
        own = bundles[0]
        reserved = [
            bundle for bundle in bundles if any(bundle.values())
        ]  # Tune reserves nothing for an empty first one
        self._reservation = ray.util.placement_group(reserved)
        ray.get(self._reservation.ready())
        there = ray.util.scheduling_strategies.PlacementGroupSchedulingStrategy(
            self._reservation, placement_group_bundle_index=0, placement_group_capture_child_tasks=True
        )
        actor = ray.remote(Conductor).options(
            num_cpus=own.get("CPU", 0), num_gpus=own.get("GPU", 0), memory=own.get("memory"), scheduling_strategy=there
        )
        self._conductor = actor.remote(launcher)

    def start(self, code: MemberCode) -> Failed | NoRoom | int:
        started: Failed | NoRoom | int = ray.get(self.starting(code))
        return started

    def starting(self, code: MemberCode) -> Any:
        """Start a group. Returns Ray's reference to the answer."""
        return self._conductor.start.remote(code, self._request)

    def open(self, task: FakeTask, timeout_s: float) -> Opened | Failed:
        return self._call("open", task, timeout_s)

    def advance(self, units: int, timeout_s: float) -> Advanced | Failed:
        return self._call("advance", units, timeout_s)

    def close(self, timeout_s: float) -> None:
        self._call("close", timeout_s)

    def kill(self) -> None:
        self._call("kill")

    def end(self) -> None:
        """End the conductor, whatever it is doing, and give back what Tune reserves for it."""
        ray.kill(self._conductor)
        ray.util.remove_placement_group(self._reservation)

    def _call(self, method: str, *args: Any) -> Any:
        return ray.get(self._conductor.call.remote(method, *args))


def wait_for_room(launcher: Launcher) -> None:
    """Give back what trials have left, as the driver does, until nothing is reserved."""

    def is_given_back() -> bool:
        launcher.give_room_back()
        return all(group["state"] == "REMOVED" for group in ray.util.placement_group_table().values())

    wait_for(is_given_back, "all room")
