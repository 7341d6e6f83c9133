"""Groups of several worker processes that are asked through Ray, whoever has started them.

Every wait has a time-out, because neither Ray nor gloo ends a wait for a stopped process.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, assert_never

import psutil
import ray
from ray.exceptions import ActorDiedError, OutOfMemoryError, RayActorError, RayError, RayTaskError

from cluster.launcher import MemberCode
from cluster.process import has_killed_since, is_node_gone
from cluster.stack_dump import dump_in_cluster
from cluster.worker_info import WorkerInfo, hosts_sentence, not_met, shared_device
from search_spaces.error_text import first_line, named_message
from search_spaces.worker_contract import Advanced, Failed, Opened, RankInfo

START_TIMEOUT_S = 600.0
"""For processes to start and libraries to load, from a cold disk or a busy network file system."""

GRACE_S = 5.0
"""When one rank fails, the others may be the reason (a peer that died breaks the connection): their time to answer."""

Ask = Callable[..., Any]
"""Asks one worker: ``ask(method, *arguments)`` calls a method of its `GangWorker`, and returns Ray's reference to the
answer."""


class WorkerGroup:
    """A group of workers, each a process of its own, that all answer the same requests.

    Args:
        asks: of the workers.
        end: ends all of them, whatever they are doing. May be called twice.
        grace_s: seconds that the others have to answer when one has failed.
    """

    is_own_process = False

    def __init__(self, asks: Sequence[Ask], end: Callable[[], None], grace_s: float = GRACE_S):
        self._asks, self._end, self._grace_s = tuple(asks), end, grace_s
        self._workers: tuple[WorkerInfo, ...] = ()
        self._oom_kills: Sequence[int | None] = ()

    @property
    def size(self) -> int:
        return len(self._asks)

    def locate(self, timeout_s: float, interface: str | None = None, keeps_order: bool = False) -> Failed | None:
        """Ask the workers where they run, and give them ranks.

        Args:
            timeout_s: for all of them together.
            interface: chosen for this run; None where each host decides.
            keeps_order: whether ranks stay as they are given; else those of a node become neighbours.
        """
        workers = self._ask_all("info", interface, timeout_s=timeout_s)
        if isinstance(workers, Failed):
            return workers
        order = range(len(workers))
        ranked = order if keeps_order else sorted(order, key=lambda i: (workers[i].node_id, i))
        self._asks, self._workers = tuple(self._asks[i] for i in ranked), tuple(workers[i] for i in ranked)
        return None

    def meet(self, code: MemberCode, threads: int, timeout_s: float, interface: str | None = None) -> Failed | None:
        """Have the workers load their code, and join them into one process group.

        Args:
            code: makes the member of each worker process.
            threads: of each worker.
            timeout_s: seconds for each of the steps, for all ranks together.
            interface: chosen for this run; None where each host decides.
        """
        shared = shared_device(self._workers)
        if shared:
            return Failed("error", shared, rank=0)
        one_node = len({worker.node_id for worker in self._workers}) == 1
        if not one_node:
            print(hosts_sentence(self._workers), flush=True)
        rank_infos = [self._rank_info(rank, threads) for rank in range(len(self._workers))]
        ranked = zip(self._asks, rank_infos, strict=True)
        taken = self._collect(
            [ask("take", code, rank_info, one_node, interface) for ask, rank_info in ranked], timeout_s
        )
        if isinstance(taken, Failed):
            return taken
        address = self._collect([self._asks[0]("listen")], timeout_s)
        if isinstance(address, Failed):
            return address
        joined = self._ask_all("join", address[0], timeout_s=timeout_s)
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
        answers: list[Opened] | Failed = self._ask_all("open", task, timeout_s=timeout_s)
        return answers if isinstance(answers, Failed) else answers[0]

    def advance(self, units: int, timeout_s: float) -> Advanced | Failed:
        answers: list[Advanced] | Failed = self._ask_all("advance", units, timeout_s=timeout_s)
        if isinstance(answers, Failed):
            return answers
        return self._count_oom_kills(timeout_s) or answers[0]

    def _count_oom_kills(self, timeout_s: float) -> Failed | None:
        """Count the kernel's kills around each rank up to now: what comes later cannot be blamed on these."""
        kills = self._ask_all("oom_kills", timeout_s=timeout_s)
        if isinstance(kills, Failed):
            return kills
        self._oom_kills = kills
        return None

    def close(self, timeout_s: float) -> None:
        self._ask_all("close", timeout_s=timeout_s)

    def kill(self) -> None:
        self._end()

    def _ask_all(self, method: str, *arguments: object, timeout_s: float) -> list[Any] | Failed:
        """Ask all ranks the same."""
        return self._collect([ask(method, *arguments) for ask in self._asks], timeout_s)

    def _collect(self, calls: Sequence[Any], timeout_s: float) -> list[Any] | Failed:
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
            deadline = min(deadline, time.monotonic() + self._grace_s)
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


def _fetch(call: Any, rank: int) -> Any:
    """Fetch the answer of a finished call; a dead process or an unforeseen error becomes a `Failed`."""
    try:
        return ray.get(call)
    except RayError as error:
        return failure_of(error, rank)


def failure_of(error: Exception, rank: int) -> Failed:
    """Return the failure of a rank of which Ray says this."""
    match error:
        case OutOfMemoryError():
            return Failed("memory", f"rank {rank} was ended because its node ran out of memory", traceback=str(error))
        case ActorDiedError() if error.preempted:
            return Failed("preempted", f"the node of rank {rank} was drained or preempted", traceback=str(error))
        case RayActorError() if is_node_gone(error):
            gone = f"the node of rank {rank} is gone: the machine, its network or its Ray"
            return Failed("lost", gone, traceback=str(error))
        case RayActorError():
            gone = f"the process of rank {rank} is gone: killed, out of memory, or crashed"
            return Failed("lost", gone, traceback=str(error))
        case RayTaskError():
            return Failed("error", first_line(named_message(error.cause or error)), traceback=str(error))
        case RayError():
            unreachable = f"rank {rank} cannot be reached: {first_line(named_message(error))}"
            return Failed("lost", unreachable, traceback=str(error))
        case _:
            return Failed("error", first_line(named_message(error)), traceback=str(error))


def _state(pid: int) -> str:
    try:
        return str(psutil.Process(pid).status())
    except psutil.NoSuchProcess:
        return "gone"
