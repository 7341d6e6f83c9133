"""Join and leave `torch.distributed` groups. torch is imported by what needs it, not with this module.

No port is chosen in advance: rank 0 lets the system pick one and passes it on, so two groups can never race for it.
"""

from __future__ import annotations

import atexit
import itertools
import os
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar, assert_never, cast

from search_spaces.error_text import first_line, named_message
from search_spaces.failure_kind import UnusableGpuError
from search_spaces.out_of_memory import is_out_of_memory
from search_spaces.worker_contract import Device

JOIN_TIMEOUT_S = 300.0
"""For all ranks to join."""

PATIENCE_S = 7 * 86_400.0
"""For a collective: longer than any rank may work alone, be it that it reads a model of a terabyte from slow storage.
Hangs are found by the launcher's time-outs (`resources.hang_timeout_s`), which name the rank; NCCL would otherwise end
the process after 10 minutes, and gloo after 30."""

Seen = TypeVar("Seen")

_arrivals: _Arrivals | None = None
"""Of the group of several ranks that this process is in."""


class FailedPeerError(RuntimeError):
    """Another rank of the group has failed in a collective: that rank raises the error itself, which explains both."""


class Rendezvous:
    """The meeting point of one group's ranks. Rank 0 must keep it as long as the group lives: it serves the others."""

    def __init__(self) -> None:
        self._store: Any = None

    def listen(self, host: str, world: int) -> str:
        """Open the meeting point on a free port of `host`, on rank 0 only, and return its address."""
        import torch.distributed as dist

        timeout = timedelta(seconds=JOIN_TIMEOUT_S)
        self._store = dist.TCPStore(host, 0, world, is_master=True, timeout=timeout, wait_for_workers=False)  # type: ignore[attr-defined]
        return f"{host}:{self._store.port}"

    def join(self, address: str, rank: int, world: int, device: Device, local_rank: int) -> None:
        """Join the group; returns when all ranks have.

        Args:
            address: `host:port` of the meeting point.
            rank: of this process, from 0.
            world: number of ranks.
            device: `cuda` joins by NCCL, `cpu` by gloo.
            local_rank: index of this process's GPU among those that it sees; not read on a CPU.
        """
        import torch.distributed as dist

        host, _, port = address.rpartition(":")
        if self._store is None:
            timeout = timedelta(seconds=JOIN_TIMEOUT_S)
            self._store = dist.TCPStore(host, int(port), world, is_master=False, timeout=timeout)  # type: ignore[attr-defined]
        _init(self._store, rank, world, device, local_rank)


def ensure_single(device: Device = "cpu") -> None:
    """Make a group of one in this process, if it is in no group yet. Needs no port: its store is in memory."""
    import torch.distributed as dist

    if dist.is_initialized():
        return
    for name, value in (("RANK", "0"), ("WORLD_SIZE", "1"), ("LOCAL_RANK", "0")):
        os.environ.setdefault(name, value)
    _init(dist.HashStore(), 0, 1, device, 0)  # type: ignore[attr-defined]


class _Arrivals:
    """Ranks' announcements at the meeting point that they have come to a point of the program.

    A rank that waits in a collective keeps its GPU busy and is subject to the time-outs of NCCL. What ranks do alone,
    as writing and verifying weights, is waited for here; only then they meet in a collective.

    Args:
        store: of the group, with a connection of its own: a wait blocks it.
        rank: of this process.
        world: number of ranks.
    """

    def __init__(self, store: Any, rank: int, world: int):
        self._store, self._rank, self._world = store, rank, world
        self._points = itertools.count()

    def wait(self, ranks: Sequence[int]) -> None:
        """Announce this rank, and wait until these have come to the same point. Called by all ranks equally often."""
        point = f"arrivals/{next(self._points)}"
        keys = [f"{point}/{rank}" for rank in ranks]
        if self._rank in ranks:
            self._store.set(f"{point}/{self._rank}", "here")
        self._store.wait(keys, timedelta(seconds=PATIENCE_S))
        if self._store.add(point, 1) == self._world:  # the last rank leaves nothing behind
            for key in (*keys, point):
                self._store.delete_key(key)


def wait_for_all() -> None:
    """Wait until all ranks of this process's group are here; not at all in a group of one, or in none."""
    import torch.distributed as dist

    if dist.is_initialized() and dist.get_world_size() > 1:
        _wait_for(range(dist.get_world_size()))
        dist.barrier()


def _wait_for(ranks: Sequence[int]) -> None:
    assert _arrivals is not None, "a group of several ranks was joined at a meeting point"
    _arrivals.wait(ranks)


def from_rank_0(look: Callable[[], Seen]) -> Seen:
    """Look at storage, or act on it, on rank 0 alone, and share with all ranks what came of it. Called by all ranks.

    Ranks that looked for themselves could decide differently: machines see a change of a shared file system at
    different times, and one of them may fail to read it.

    Args:
        look: called on rank 0 only; what it returns is pickled.

    Raises:
        FailedPeerError: `look` raised on rank 0; rank 0 itself raises the original error.
    """
    import torch.distributed as dist

    if not dist.is_initialized() or dist.get_world_size() == 1:
        return look()
    answer, failure = _attempt(look) if dist.get_rank() == 0 else (None, None)
    answers: list[_Answer | None] = [answer]
    _wait_for([0])
    dist.broadcast_object_list(answers, src=0)
    return cast("Seen", _shared(answers, failure)[0])


def from_all_ranks(look: Callable[[], Seen]) -> list[Seen]:
    """Look at storage, or act on it, on every rank, and share with all ranks what came of it. Called by all ranks.

    Args:
        look: called on every rank; has no collective in it, which a rank that fails would leave to the others. What it
            returns is pickled.

    Returns:
        What `look` has returned, by rank.

    Raises:
        FailedPeerError: `look` raised on another rank; where it raised, the original error is.
    """
    import torch.distributed as dist

    if not dist.is_initialized() or dist.get_world_size() == 1:
        return [look()]
    answer, failure = _attempt(look)
    answers: list[_Answer | None] = [None] * dist.get_world_size()
    _wait_for(range(dist.get_world_size()))
    dist.all_gather_object(answers, answer)
    return cast("list[Seen]", _shared(answers, failure))


@dataclass(frozen=True)
class _Answer:
    """What a look on one rank has returned, or the message of the error that it has raised."""

    seen: Any = None
    message: str | None = None


def _attempt(look: Callable[[], Any]) -> tuple[_Answer, Exception | None]:
    try:
        return _Answer(seen=look()), None
    except Exception as error:
        return _Answer(message=named_message(error)), error


def _shared(answers: Sequence[_Answer | None], failure: Exception | None) -> list[Any]:
    """Return what all ranks have seen, or raise this rank's own failure or that of the first rank that has one."""
    if failure is not None:
        raise failure
    for rank, answer in enumerate(answers):
        if answer is not None and answer.message is not None:
            raise FailedPeerError(f"rank {rank} has failed: {answer.message}")
    return [answer and answer.seen for answer in answers]


def leave() -> None:
    """Leave the group, if this process is in one: its threads end. Called at the interpreter's exit at the latest.

    A thread of gloo that lets go of the last collective's tensors takes the interpreter's lock. Once the interpreter
    is being finalised that ends the thread by unwinding through C++, which aborts the process (SIGABRT, "terminate
    called without an active exception").
    """
    import torch.distributed as dist

    if dist.is_initialized():
        dist.destroy_process_group()


def _use_gpu(local_rank: int) -> None:
    """Take a GPU for this process.

    Args:
        local_rank: index among those that it sees.

    Raises:
        UnusableGpuError: naming the GPU and its host, where driver or library do not give it.
    """
    import torch

    try:
        torch.cuda.set_device(local_rank)
    except (RuntimeError, AssertionError) as error:  # the second where torch was built without CUDA
        if is_out_of_memory(error):
            raise
        seen = [name.strip() for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name.strip()]
        name = seen[local_rank] if local_rank < len(seen) else str(local_rank)
        reason = first_line(error)
        raise UnusableGpuError(f"GPU {name} of {socket.gethostname()} cannot be used: {reason}") from error


def _init(store: Any, rank: int, world: int, device: Device, local_rank: int) -> None:
    import torch
    import torch.distributed as dist
    from torch.distributed import distributed_c10d

    global _arrivals
    _arrivals = _Arrivals(store.clone(), rank, world) if world > 1 else None
    patience = timedelta(seconds=PATIENCE_S)
    for default in ("default_pg_timeout", "default_pg_nccl_timeout"):  # of groups that libraries make beside this one
        setattr(distributed_c10d, default, patience)
    match device:
        case "cuda":
            _use_gpu(local_rank)
            gpu = torch.device("cuda", local_rank)
            dist.init_process_group("nccl", store=store, rank=rank, world_size=world, timeout=patience, device_id=gpu)
        case "cpu":
            dist.init_process_group("gloo", store=store, rank=rank, world_size=world, timeout=patience)
        case _:
            assert_never(device)
    atexit.register(leave)
