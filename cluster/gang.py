"""The `gang` launcher: all workers of a trial run in the reservation that Tune made for that trial.

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
from ray.exceptions import ActorDiedError, OutOfMemoryError, RayActorError, RayError, RayTaskError
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

from cluster.launcher import MemberCode, ResourceRequest
from cluster.process import has_killed_since, is_node_gone
from cluster.stack_dump import dump_in_cluster, dump_on_signal
from cluster.worker_info import WorkerInfo, hosts_sentence, not_met, shared_device
from cluster.worker_process import GangWorker, make_member, this_worker
from search_spaces.error_text import first_line, named_message
from search_spaces.worker_contract import Advanced, Device, Failed, Group, Member, Opened, RankInfo

START_TIMEOUT_S = 600.0
"""For processes to start and libraries to load, from a cold disk or a busy network file system."""

GRACE_S = 5.0
"""When one rank fails, the others may be the reason (a peer that died breaks the connection): their time to answer."""


@dataclass(frozen=True)
class Gang:
    """Launcher of worker groups inside the trial's own placement group."""

    start_timeout_s: float = START_TIMEOUT_S
    interface: str | None = None
    """Network interfaces over which workers on several hosts meet, separated by commas; None: each host decides."""

    def bundles(self, request: ResourceRequest) -> list[dict[str, float]]:
        if request.workers == 1:
            return [request.bundle()]
        return [{"CPU": 0.0}, *(request.bundle() for _ in range(request.workers))]

    def start(self, code: MemberCode) -> Group | Failed:
        dump_on_signal()
        reservation = ray.util.get_current_placement_group()
        bundles: Sequence[Mapping[str, float]] = reservation.bundle_specs if reservation else [{"CPU": 1.0}]
        if len(bundles) == 1:
            return OwnProcess.start(code, threads=_threads(bundles[0]))
        return ActorGroup.start(code, reservation, bundles, self.start_timeout_s, self.interface)


class OwnProcess:
    """A group of one worker: the calling process. It has no time-outs: no process can watch itself (see watchdog)."""

    size = 1

    def __init__(self, member: Member, worker: WorkerInfo):
        self._member, self._worker = member, worker

    @staticmethod
    def start(code: MemberCode, threads: int) -> OwnProcess | Failed:
        worker = this_worker()
        device: Device = "cuda" if worker.devices else "cpu"
        rank_info = RankInfo(rank=0, world=1, local_rank=0, device=device, threads=threads, host=worker.address)
        made = make_member(code, rank_info, one_node=True)
        return worker.located(made) if isinstance(made, Failed) else OwnProcess(made, worker)

    def open(self, task: object, timeout_s: float) -> Opened | Failed:
        opened = self._member.open(task)
        return self._worker.located(opened) if isinstance(opened, Failed) else opened

    def advance(self, units: int, timeout_s: float) -> Advanced | Failed:
        advanced = self._member.advance(units)
        return self._worker.located(advanced) if isinstance(advanced, Failed) else advanced

    def close(self, timeout_s: float) -> None:
        self._member.close()

    def kill(self) -> None:
        """Close what is open; the worker itself ends with the process that it is."""
        self._member.close()


class ActorGroup:
    """A group of several workers, each a Ray actor."""

    def __init__(self, actors: Sequence[Any], workers: Sequence[WorkerInfo]):
        self._actors, self._workers = tuple(actors), tuple(workers)
        self._oom_kills: Sequence[int | None] = ()

    @property
    def size(self) -> int:
        return len(self._actors)

    @staticmethod
    def start(
        code: MemberCode,
        reservation: Any,
        bundles: Sequence[Mapping[str, float]],
        timeout_s: float,
        interface: str | None = None,
    ) -> ActorGroup | Failed:
        """Start one actor in each bundle and join them into one group.

        Args:
            code: makes the member of each worker process.
            reservation: Ray's placement group of the calling trial.
            bundles: resources of the workers, one bundle each. (Ray Tune drops the conductor's bundle: it is empty.)
            timeout_s: seconds for each of the steps, for all ranks together.
            interface: chosen for this run; None where each host decides.
        """
        actors = [_actor(reservation, i, bundle) for i, bundle in enumerate(bundles)]
        group = ActorGroup(actors, ())
        failed = group._meet(code, _threads(bundles[0]), timeout_s, interface)
        if failed:
            group.kill()
            return failed
        return group

    def _meet(self, code: MemberCode, threads: int, timeout_s: float, interface: str | None) -> Failed | None:
        """Give the actors ranks by where they run, load their code, and join them into one process group."""
        workers = self._ask([actor.info.remote(interface) for actor in self._actors], timeout_s)
        if isinstance(workers, Failed):
            return workers
        order = sorted(range(len(workers)), key=lambda i: (workers[i].node_id, i))  # ranks of a node are neighbours
        self._actors, self._workers = tuple(self._actors[i] for i in order), tuple(workers[i] for i in order)
        shared = shared_device(self._workers)
        if shared:
            return Failed("error", shared, rank=0)
        one_node = len({worker.node_id for worker in self._workers}) == 1
        if not one_node:
            print(hosts_sentence(self._workers), flush=True)
        rank_infos = [self._rank_info(rank, threads) for rank in range(len(self._workers))]
        ranked = zip(self._actors, rank_infos, strict=True)
        taken = self._ask(
            [actor.take.remote(code, rank_info, one_node, interface) for actor, rank_info in ranked], timeout_s
        )
        if isinstance(taken, Failed):
            return taken
        address = self._ask([self._actors[0].listen.remote()], timeout_s)
        if isinstance(address, Failed):
            return address
        joined = self._ask([actor.join.remote(address[0]) for actor in self._actors], timeout_s)
        return not_met(joined, self._workers, address[0]) if isinstance(joined, Failed) else None

    def _rank_info(self, rank: int, threads: int) -> RankInfo:
        worker = self._workers[rank]
        before = sum(lower.node_id == worker.node_id for lower in self._workers[:rank])
        return RankInfo(
            rank=rank,
            world=len(self._workers),
            local_rank=0 if worker.devices else before,
            device="cuda" if worker.devices else "cpu",
            threads=threads,
            host=worker.address,
            first_of_node=before == 0,
        )

    def open(self, task: object, timeout_s: float) -> Opened | Failed:
        uncounted = self._count_oom_kills(timeout_s)
        if uncounted is not None:
            return uncounted
        answers: list[Opened] | Failed = self._ask([actor.open.remote(task) for actor in self._actors], timeout_s)
        return answers if isinstance(answers, Failed) else answers[0]

    def advance(self, units: int, timeout_s: float) -> Advanced | Failed:
        answers: list[Advanced] | Failed = self._ask([actor.advance.remote(units) for actor in self._actors], timeout_s)
        if isinstance(answers, Failed):
            return answers
        return self._count_oom_kills(timeout_s) or answers[0]

    def _count_oom_kills(self, timeout_s: float) -> Failed | None:
        """Count the kernel's kills around each rank up to now: what comes later cannot be blamed on these."""
        kills = self._ask([actor.oom_kills.remote() for actor in self._actors], timeout_s)
        if isinstance(kills, Failed):
            return kills
        self._oom_kills = kills
        return None

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
            answer = self._explained(self._located(answer, rank), rank)
            if _is_cause(answer):
                return answer
            failed.append((rank, answer))
            deadline = min(deadline, time.monotonic() + GRACE_S)
        if failed:
            return min(failed, key=lambda ranked: (ranked[1].is_consequence, ranked[0]))[1]
        if pending:
            return self._hung(sorted(pending.values()), len(calls), timeout_s)
        return [answers[rank] for rank in range(len(calls))]

    def _hung(self, silent: Sequence[int], asked: int, timeout_s: float) -> Failed:
        """Return the failure of ranks that have not answered in time, with the stacks of all ranks of the group.

        It is said to be of the first rank that does not wait for another one in a collective operation, if any.
        """
        message = f"{self._name(silent)} of {asked} gave no sign for {timeout_s:.0f} s"
        dumps = dump_in_cluster([worker.process for worker in self._workers])
        places = [f"rank {rank}: {dump.said}" for rank, dump in enumerate(dumps)]
        stacks = "\n\n".join(f"Stacks of rank {rank} ({dump.file}):\n{dump.text}" for rank, dump in enumerate(dumps))
        waiting = {rank for rank, dump in enumerate(dumps) if dump.waits_for_others}
        rank = next((rank for rank in silent if rank not in waiting), silent[0])
        return self._located(Failed("hung", "; ".join([message, *places]), traceback=stacks), rank)

    def _explained(self, failed: Failed, rank: int) -> Failed:
        """Return the failure of a rank that is gone as one of memory, if the kernel has just killed for that."""
        if failed.kind != "lost" or failed.node_id is None or rank >= len(self._oom_kills):
            return failed
        if not has_killed_since(failed.node_id, self._oom_kills[rank]):
            return failed
        message = f"the process of rank {rank} is gone: the kernel has killed for want of memory on its host"
        return replace(failed, kind="memory", message=message)

    def _located(self, failed: Failed, rank: int) -> Failed:
        """Return the failure of a rank with where that rank runs, as far as it has told already."""
        failed = replace(failed, rank=rank)
        return self._workers[rank].located(failed) if rank < len(self._workers) else failed

    def _name(self, ranks: Sequence[int]) -> str:
        """Name ranks for people: ``rank 0 (pid 4711, stopped) and rank 1 (pid 4712, on 10.0.0.2)``."""
        here = ray.get_runtime_context().get_node_id()
        named = []
        for rank in ranks:
            if rank >= len(self._workers):
                named.append(f"rank {rank}")
                continue
            worker = self._workers[rank]
            state = _state(worker.pid) if worker.node_id == here else f"on {worker.host}"
            named.append(f"rank {rank} (pid {worker.pid}, {state})")
        return " and ".join(named)


def _is_cause(failed: Failed) -> bool:
    """Return whether a rank's failure is why the others fail; else one of them may be why this one did."""
    if failed.is_consequence:
        return False
    match failed.kind:
        case "lost" | "preempted" | "memory" | "full" | "damaged":
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
    """Fetch the answer of a finished call; a dead process or an unforeseen error becomes a `Failed`."""
    try:
        return ray.get(call)
    except OutOfMemoryError as error:
        return Failed("memory", f"rank {rank} was ended because its node ran out of memory", traceback=str(error))
    except RayActorError as error:
        if isinstance(error, ActorDiedError) and error.preempted:
            return Failed("preempted", f"the node of rank {rank} was drained or preempted", traceback=str(error))
        if is_node_gone(error):
            gone = f"the node of rank {rank} is gone: the machine, its network or its Ray"
        else:
            gone = f"the process of rank {rank} is gone: killed, out of memory, or crashed"
        return Failed("lost", gone, traceback=str(error))
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
