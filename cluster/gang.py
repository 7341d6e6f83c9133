"""The `gang` launcher: all workers of a trial live in the reservation that Tune made for that trial.

With one worker the trial's own process is the worker. With more, each is an actor in the trial's placement group and
they meet in one `torch.distributed` group; the trial's own process then only conducts and never imports what they
import. Every wait has a time-out, because neither Ray nor gloo ends a wait for a stopped process.
"""

from __future__ import annotations

import os
import sys
import time
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psutil
import ray
from ray.exceptions import OutOfMemoryError, RayActorError, RayError, RayTaskError
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

from cluster.launcher import Answer, Group, Member, MemberCode, Place, Shape, failure

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

    def start(self, code: MemberCode) -> Group | Answer:
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
    def start(code: MemberCode, threads: int) -> OwnProcess | Answer:
        gpus = ray.get_gpu_ids() if ray.is_initialized() else []
        host = ray.util.get_node_ip_address()
        place = Place(rank=0, world=1, local_rank=0, device="cuda" if gpus else "cpu", threads=threads, host=host)
        made = _make(code, place, one_node=True)
        return made if isinstance(made, Mapping) else OwnProcess(made)

    def open(self, task: object, timeout_s: float) -> Answer:
        return self._member.open(task)

    def advance(self, units: int, timeout_s: float) -> Answer:
        return self._member.advance(units)

    def close(self, timeout_s: float) -> None:
        self._member.close()

    def kill(self) -> None:
        """Close what is open; the worker itself ends with the process that it is."""
        self._member.close()


@dataclass(frozen=True)
class Seat:
    """Where an actor of a group has come to sit."""

    node_id: str
    host: str
    pid: int
    devices: tuple[str, ...] = ()
    """GPUs that the process sees, by the names the driver knows; the first of them is its own."""


def visible_devices(assigned: Sequence[str], variable: str | None) -> tuple[str, ...]:
    """The GPUs a worker really sees, in the order in which libraries number them.

    Args:
        assigned: what Ray has given to the worker; none on a CPU.
        variable: CUDA_VISIBLE_DEVICES of its process; a scheduler or RAY_EXPERIMENTAL_NOSET_CUDA_VISIBLE_DEVICES may
            have left another value there than Ray's, and libraries believe the variable.
    """
    if not assigned:
        return ()
    if variable is None:
        return ("0",)  # all are visible, and every rank would take the first
    return tuple(name.strip() for name in variable.split(",") if name.strip()) or tuple(assigned)


def shared_device(seats: Sequence[Seat]) -> str | None:
    """Why this group cannot train: two ranks would use one GPU, or some have one and others have none."""
    users: dict[tuple[str, str], int] = {}
    for rank, seat in enumerate(seats):
        if bool(seat.devices) != bool(seats[0].devices):
            return f"all ranks must have a GPU or none, but of rank 0 and rank {rank} only one has"
        if not seat.devices:
            continue
        first = users.setdefault((seat.node_id, seat.devices[0]), rank)
        if first != rank:
            return (
                f"each rank must have a GPU of its own, but rank {first} (pid {seats[first].pid}) and rank {rank} (pid"
                f" {seat.pid}) both see GPU {seat.devices[0]} of {seat.host} first: ask for whole GPUs, and unset"
                " CUDA_VISIBLE_DEVICES and RAY_EXPERIMENTAL_NOSET_CUDA_VISIBLE_DEVICES where Ray was started"
            )
    return None


class GangWorker:
    """One rank of a group, as a Ray actor. An empty shell until `take`: seats come first, imports after."""

    def __init__(self) -> None:
        self._member: Member | None = None

    def seat(self) -> Seat:
        node_id = ray.get_runtime_context().get_node_id()
        assigned = [str(gpu) for gpu in ray.get_gpu_ids()]
        devices = visible_devices(assigned, os.environ.get("CUDA_VISIBLE_DEVICES"))
        return Seat(node_id, ray.util.get_node_ip_address(), os.getpid(), devices)

    def take(self, code: MemberCode, place: Place, one_node: bool) -> Answer:
        made = _make(code, place, one_node)
        if isinstance(made, Mapping):
            return made
        self._member = made
        return {}

    def call(self, method: str, *args: Any) -> Any:
        try:
            return getattr(self._member, method)(*args)
        except Exception as error:
            return failure("error", _headline(error), traceback=traceback.format_exc())


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
    ) -> ActorGroup | Answer:
        actors = [_actor(reservation, i, bundle) for i, bundle in enumerate(bundles)]
        group = ActorGroup(actors, ())
        failed = group._meet(code, bundles, timeout_s)
        if failed:
            group.kill()
            return failed
        return group

    def _meet(self, code: MemberCode, bundles: Sequence[Mapping[str, float]], timeout_s: float) -> Answer | None:
        """Seat the actors, give them ranks, load their code, join them into one process group."""
        seats = self._ask([actor.seat.remote() for actor in self._actors], timeout_s)
        if isinstance(seats, Mapping):
            return seats
        order = sorted(range(len(seats)), key=lambda i: (seats[i].node_id, i))  # ranks of a node are neighbours
        self._actors, self._seats = tuple(self._actors[i] for i in order), tuple(seats[i] for i in order)
        shared = shared_device(self._seats)
        if shared:
            return failure("error", shared, rank=0)
        one_node = len({seat.node_id for seat in self._seats}) == 1
        threads = _threads(bundles[0])
        places = [self._place(rank, threads) for rank in range(len(self._seats))]
        taken = self._ask(
            [actor.take.remote(code, place, one_node) for actor, place in zip(self._actors, places, strict=True)],
            timeout_s,
        )
        if isinstance(taken, Mapping):
            return taken
        address = self._ask([self._actors[0].call.remote("listen")], timeout_s)
        if isinstance(address, Mapping):
            return address
        joined = self._ask([actor.call.remote("join", address[0]) for actor in self._actors], timeout_s)
        return joined if isinstance(joined, Mapping) else None

    def _place(self, rank: int, threads: int) -> Place:
        seat = self._seats[rank]
        before = sum(other.node_id == seat.node_id for other in self._seats[:rank])
        device_index, device = (0, "cuda") if seat.devices else (before, "cpu")
        return Place(rank, len(self._seats), device_index, device, threads, seat.host, before == 0)  # type: ignore[arg-type]

    def open(self, task: object, timeout_s: float) -> Answer:
        return self._all("open", task, timeout_s=timeout_s)

    def advance(self, units: int, timeout_s: float) -> Answer:
        return self._all("advance", units, timeout_s=timeout_s)

    def close(self, timeout_s: float) -> None:
        self._all("close", timeout_s=timeout_s)

    def kill(self) -> None:
        for actor in self._actors:
            ray.kill(actor, no_restart=True)

    def _all(self, method: str, *args: Any, timeout_s: float) -> Answer:
        """Rank 0's answer when all have answered, or the failure."""
        answers = self._ask([actor.call.remote(method, *args) for actor in self._actors], timeout_s)
        return answers if isinstance(answers, Mapping) else answers[0] or {}

    def _ask(self, calls: Sequence[Any], timeout_s: float) -> list[Any] | Answer:
        """The answers of all ranks, or the one failure that explains best why they are not all there."""
        pending = {call: rank for rank, call in enumerate(calls)}
        answers: dict[int, Any] = {}
        failed: list[Answer] = []
        deadline = time.monotonic() + timeout_s
        while pending:
            ready, _ = ray.wait(list(pending), num_returns=1, timeout=max(0.0, deadline - time.monotonic()))
            if not ready:
                break
            rank = pending.pop(ready[0])
            answer = _fetch(ready[0], rank)
            if not (isinstance(answer, Mapping) and "failure" in answer):
                answers[rank] = answer
                continue
            if answer["failure"]["kind"] in ("lost", "memory"):
                return _of_rank(answer, rank)
            failed.append(_of_rank(answer, rank))
            deadline = min(deadline, time.monotonic() + GRACE_S)
        if failed:
            return min(failed, key=lambda answer: answer["failure"]["rank"])
        if pending:
            silent = sorted(pending.values())
            return failure(
                "hung",
                f"{self._name(silent)} of {len(calls)} gave no sign for {timeout_s:.0f} s",
                rank=silent[0],
            )
        return [answers[rank] for rank in range(len(calls))]

    def _name(self, ranks: Sequence[int]) -> str:
        """``rank 0 (pid 4711, stopped) and rank 1 (pid 4712, running)``: the state where this node can tell it."""
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


def _actor(reservation: Any, index: int, bundle: Mapping[str, float]) -> Any:
    options = {
        "num_cpus": bundle.get("CPU", 0),
        "num_gpus": bundle.get("GPU", 0),
        "max_restarts": 0,
        "scheduling_strategy": PlacementGroupSchedulingStrategy(reservation, placement_group_bundle_index=index),
    }
    return ray.remote(GangWorker).options(**options).remote()


def _fetch(call: Any, rank: int) -> Any:
    """The answer of a finished call; a dead process or an unforeseen error is answered for."""
    try:
        return ray.get(call)
    except OutOfMemoryError as error:
        return failure("memory", f"rank {rank} was ended because its node ran out of memory", traceback=str(error))
    except RayActorError as error:
        return failure(
            "lost", f"the process of rank {rank} is gone: killed, out of memory, or crashed", traceback=str(error)
        )
    except RayTaskError as error:
        return failure("error", _headline(error.cause or error), traceback=str(error))
    except RayError as error:
        return failure("lost", f"rank {rank} cannot be reached: {_headline(error)}", traceback=str(error))


def _of_rank(answer: Answer, rank: int) -> Answer:
    return {"failure": {**answer["failure"], "rank": rank}}


def _make(code: MemberCode, place: Place, one_node: bool) -> Member | Answer:
    """A member in this process, or the failure of its imports. The environment comes first: libraries read it once."""
    os.environ.update(environment(place, one_node))
    try:
        return code.make(place)
    except Exception as error:
        return failure("error", _headline(error), traceback=traceback.format_exc(), rank=place.rank)


def environment(place: Place, one_node: bool) -> dict[str, str]:
    """Environment variables of a worker process."""
    variables = {
        "RANK": str(place.rank),
        "WORLD_SIZE": str(place.world),
        "LOCAL_RANK": str(place.local_rank),
        "OMP_NUM_THREADS": str(place.threads),
    }
    if place.device == "cpu":
        variables["DS_ACCELERATOR"] = "cpu"
    if one_node:  # by name: looking the host name up is slow or wrong on many laptops
        loopback = "lo0" if sys.platform == "darwin" else "lo"
        variables |= {"GLOO_SOCKET_IFNAME": loopback, "NCCL_SOCKET_IFNAME": loopback}
    return variables


def _threads(bundle: Mapping[str, float]) -> int:
    return max(1, int(bundle.get("CPU", 1)))


def _state(pid: int) -> str:
    try:
        return str(psutil.Process(pid).status())
    except psutil.NoSuchProcess:
        return "gone"


def _headline(error: BaseException) -> str:
    text = str(error).strip()
    return f"{type(error).__name__}: {text.splitlines()[0]}" if text else type(error).__name__
