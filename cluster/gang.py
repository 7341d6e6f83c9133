"""The `gang` launcher: all workers of a trial live in the reservation that Tune made for that trial.

With one worker the trial's own process is the worker. With more, each is an actor in the trial's placement group and
they meet in one `torch.distributed` group; the trial's own process then only conducts and never imports what they
import. Every wait has a time-out, because neither Ray nor gloo ends a wait for a stopped process.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, assert_never

import psutil
import ray
from ray.exceptions import OutOfMemoryError, RayActorError, RayError, RayTaskError
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

from cluster.launcher import MemberCode, Shape
from cluster.seats import Seat, shared_device
from cluster.worker_process import GangWorker, make_member
from search_spaces.error_text import first_line, named_message
from search_spaces.worker_contract import Advanced, Failed, Group, Member, Opened, Place

START_TIMEOUT_S = 600.0
"""For processes to start and libraries to load, from a cold disk or a busy network file system."""

GRACE_S = 5.0
"""When one rank fails, the others may be the reason (a peer that died breaks the connection): time for them to tell."""


@dataclass(frozen=True)
class Gang:
    """Launcher of worker groups inside the trial's own placement group."""

    start_timeout_s: float = START_TIMEOUT_S

    def bundles(self, shape: Shape) -> list[dict[str, float]]:
        if shape.workers == 1:
            return [shape.bundle()]
        return [{"CPU": 0.0}, *(shape.bundle() for _ in range(shape.workers))]

    def start(self, code: MemberCode) -> Group | Failed:
        reservation = ray.util.get_current_placement_group()
        bundles: Sequence[Mapping[str, float]] = reservation.bundle_specs if reservation else [{"CPU": 1.0}]
        if len(bundles) == 1:
            return OwnProcess.start(code, threads=_threads(bundles[0]))
        return ActorGroup.start(code, reservation, bundles, self.start_timeout_s)


class OwnProcess:
    """A group of one: the calling process. Time-outs are not kept here, no process can watch itself (see watchdog)."""

    size = 1

    def __init__(self, member: Member):
        self._member = member

    @staticmethod
    def start(code: MemberCode, threads: int) -> OwnProcess | Failed:
        gpus = ray.get_gpu_ids() if ray.is_initialized() else []
        host = ray.util.get_node_ip_address()
        place = Place(rank=0, world=1, local_rank=0, device="cuda" if gpus else "cpu", threads=threads, host=host)
        made = make_member(code, place, one_node=True)
        return made if isinstance(made, Failed) else OwnProcess(made)

    def open(self, task: object, timeout_s: float) -> Opened | Failed:
        return self._member.open(task)

    def advance(self, units: int, timeout_s: float) -> Advanced | Failed:
        return self._member.advance(units)

    def close(self, timeout_s: float) -> None:
        self._member.close()

    def kill(self) -> None:
        """Close what is open; the worker itself ends with the process that it is."""
        self._member.close()


class ActorGroup:
    """Several workers, each an actor."""

    def __init__(self, actors: Sequence[Any], seats: Sequence[Seat]):
        self._actors, self._seats = tuple(actors), tuple(seats)

    @property
    def size(self) -> int:
        return len(self._actors)

    @staticmethod
    def start(
        code: MemberCode, reservation: Any, bundles: Sequence[Mapping[str, float]], timeout_s: float
    ) -> ActorGroup | Failed:
        """Start one actor in each bundle and let them meet. (Ray Tune drops the conductor's bundle: it is empty.)"""
        actors = [_actor(reservation, i, bundle) for i, bundle in enumerate(bundles)]
        group = ActorGroup(actors, ())
        failed = group._meet(code, _threads(bundles[0]), timeout_s)
        if failed:
            group.kill()
            return failed
        return group

    def _meet(self, code: MemberCode, threads: int, timeout_s: float) -> Failed | None:
        """Seat the actors, give them ranks, load their code, join them into one process group."""
        seats = self._ask([actor.seat.remote() for actor in self._actors], timeout_s)
        if isinstance(seats, Failed):
            return seats
        order = sorted(range(len(seats)), key=lambda i: (seats[i].node_id, i))  # ranks of a node are neighbours
        self._actors, self._seats = tuple(self._actors[i] for i in order), tuple(seats[i] for i in order)
        shared = shared_device(self._seats)
        if shared:
            return Failed("error", shared, rank=0)
        one_node = len({seat.node_id for seat in self._seats}) == 1
        places = [self._place(rank, threads) for rank in range(len(self._seats))]
        taken = self._ask(
            [actor.take.remote(code, place, one_node) for actor, place in zip(self._actors, places, strict=True)],
            timeout_s,
        )
        if isinstance(taken, Failed):
            return taken
        address = self._ask([self._actors[0].listen.remote()], timeout_s)
        if isinstance(address, Failed):
            return address
        joined = self._ask([actor.join.remote(address[0]) for actor in self._actors], timeout_s)
        return joined if isinstance(joined, Failed) else None

    def _place(self, rank: int, threads: int) -> Place:
        seat = self._seats[rank]
        before = sum(other.node_id == seat.node_id for other in self._seats[:rank])
        return Place(
            rank=rank,
            world=len(self._seats),
            local_rank=0 if seat.devices else before,
            device="cuda" if seat.devices else "cpu",
            threads=threads,
            host=seat.host,
            first_of_node=before == 0,
        )

    def open(self, task: object, timeout_s: float) -> Opened | Failed:
        answers: list[Opened] | Failed = self._ask([actor.open.remote(task) for actor in self._actors], timeout_s)
        return answers if isinstance(answers, Failed) else answers[0]

    def advance(self, units: int, timeout_s: float) -> Advanced | Failed:
        answers: list[Advanced] | Failed = self._ask([actor.advance.remote(units) for actor in self._actors], timeout_s)
        return answers if isinstance(answers, Failed) else answers[0]

    def close(self, timeout_s: float) -> None:
        self._ask([actor.close.remote() for actor in self._actors], timeout_s)

    def kill(self) -> None:
        for actor in self._actors:
            ray.kill(actor, no_restart=True)

    def _ask(self, calls: Sequence[Any], timeout_s: float) -> list[Any] | Failed:
        """Collect the answers of all ranks, or the one failure that explains best why they are not all there."""
        pending = {call: rank for rank, call in enumerate(calls)}
        answers: dict[int, Any] = {}
        failed: list[tuple[int, Failed]] = []
        deadline = time.monotonic() + timeout_s
        while pending:
            ready, _ = ray.wait(list(pending), num_returns=1, timeout=max(0.0, deadline - time.monotonic()))
            if not ready:
                break
            rank = pending.pop(ready[0])
            answer = _fetch(ready[0], rank)
            if not isinstance(answer, Failed):
                answers[rank] = answer
                continue
            answer = replace(answer, rank=rank)
            if _explains_the_others(answer):
                return answer
            failed.append((rank, answer))
            deadline = min(deadline, time.monotonic() + GRACE_S)
        if failed:
            return min(failed, key=lambda ranked: ranked[0])[1]
        if pending:
            silent = sorted(pending.values())
            message = f"{self._name(silent)} of {len(calls)} gave no sign for {timeout_s:.0f} s"
            return Failed("hung", message, rank=silent[0])
        return [answers[rank] for rank in range(len(calls))]

    def _name(self, ranks: Sequence[int]) -> str:
        """Name ranks for people: ``rank 0 (pid 4711, stopped) and rank 1 (pid 4712, on 10.0.0.2)``."""
        here = ray.get_runtime_context().get_node_id()
        named = []
        for rank in ranks:
            if rank >= len(self._seats):
                named.append(f"rank {rank}")
                continue
            seat = self._seats[rank]
            state = _state(seat.pid) if seat.node_id == here else f"on {seat.host}"
            named.append(f"rank {rank} (pid {seat.pid}, {state})")
        return " and ".join(named)


def _explains_the_others(failed: Failed) -> bool:
    """Return whether a rank's failure is why the others fail; else one of them may be why this one did."""
    match failed.kind:
        case "lost" | "memory":
            return True
        case "error" | "hung" | "killed":
            return False
        case _:
            assert_never(failed.kind)


def _actor(reservation: Any, index: int, bundle: Mapping[str, float]) -> Any:
    options = {
        "num_cpus": bundle.get("CPU", 0),
        "num_gpus": bundle.get("GPU", 0),
        "max_restarts": 0,
        "scheduling_strategy": PlacementGroupSchedulingStrategy(reservation, placement_group_bundle_index=index),
    }
    return ray.remote(GangWorker).options(**options).remote()


def _fetch(call: Any, rank: int) -> Any:
    """Fetch the answer of a finished call; a dead process or an unforeseen error is answered for."""
    try:
        return ray.get(call)
    except OutOfMemoryError as error:
        return Failed("memory", f"rank {rank} was ended because its node ran out of memory", traceback=str(error))
    except RayActorError as error:
        return Failed(
            "lost", f"the process of rank {rank} is gone: killed, out of memory, or crashed", traceback=str(error)
        )
    except RayTaskError as error:
        return Failed("error", first_line(named_message(error.cause or error)), traceback=str(error))
    except RayError as error:
        return Failed(
            "lost", f"rank {rank} cannot be reached: {first_line(named_message(error))}", traceback=str(error)
        )


def _threads(bundle: Mapping[str, float]) -> int:
    return max(1, int(bundle.get("CPU", 1)))


def _state(pid: int) -> str:
    try:
        return str(psutil.Process(pid).status())
    except psutil.NoSuchProcess:
        return "gone"
