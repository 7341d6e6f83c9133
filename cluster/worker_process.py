"""Set up the process of a worker, whichever way it was started: its environment, its member, where it runs."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Mapping
from typing import TypeVar

import psutil
import ray

from cluster.allocator import allocator_settings, workspace_setting
from cluster.interfaces import described, host_interfaces, meeting_interfaces, missing_interfaces, network_variables
from cluster.launcher import MemberCode
from cluster.stack_dump import dump_on_signal
from cluster.worker_info import WorkerInfo, visible_devices
from search_spaces.error_text import first_line, named_message, traceback_text
from search_spaces.failure_kind import failure_kind
from search_spaces.oom_kills import count_oom_kills
from search_spaces.worker_contract import Advanced, Failed, Member, Opened, RankInfo

Answer = TypeVar("Answer")


class GangWorker:
    """One rank of a group, as a Ray actor. Empty until `take`: ranks follow from where workers run, imports from ranks.

    No method raises: what a member raises, as it must not, is returned as a `Failed`.
    """

    def __init__(self) -> None:
        dump_on_signal()
        self._member: Member | None = None

    def info(self, interface: str | None = None) -> WorkerInfo:
        """Return where this process runs, the GPUs that it sees, and how it meets workers of other hosts.

        Args:
            interface: chosen for this run; None where the host decides.
        """
        return this_worker(interface)

    def oom_kills(self) -> int | None:
        """Count the processes around this one that the kernel has killed for want of memory so far."""
        return count_oom_kills()

    def take(
        self, code: MemberCode, rank_info: RankInfo, one_node: bool, interface: str | None = None
    ) -> Failed | None:
        """Take a rank: import the code and make the member.

        Args:
            code: makes the member.
            rank_info: this worker's rank and device.
            one_node: whether all workers of the group run on this node.
            interface: chosen for this run; None where the host decides.

        Returns:
            The failure if an interface is not there, or if the code cannot be imported or raises, else None.
        """
        missing = None if one_node else missing_interface(rank_info.host, interface)
        if missing is not None:
            return Failed("error", missing, rank=rank_info.rank)
        made = make_member(code, rank_info, one_node, interface)
        if isinstance(made, Failed):
            return made
        self._member = made
        return None

    def listen(self) -> str | Failed:
        """Open the meeting point of the group on rank 0 and return its address."""
        return _answered(self._required_member.listen)

    def join(self, address: str) -> Failed | None:
        """Join the group that meets at an address."""
        return _answered(lambda: self._required_member.join(address))

    def open(self, task: object) -> Opened | Failed:
        """Begin a trial."""
        return _answered(lambda: self._required_member.open(task))

    def advance(self, units: int) -> Advanced | Failed:
        """Advance the loop by at most so many units."""
        return _answered(lambda: self._required_member.advance(units))

    def close(self) -> Failed | None:
        """End the trial that is open, if one is."""
        return _answered(self._required_member.close)

    @property
    def _required_member(self) -> Member:
        if self._member is None:
            raise RuntimeError("this worker has not taken a rank")
        return self._member


def this_worker(interface: str | None = None) -> WorkerInfo:
    """Return where this process runs, and the GPUs that it sees, once Ray is connected.

    Args:
        interface: chosen for this run; None where the host decides.
    """
    node_id = ray.get_runtime_context().get_node_id()
    assigned = [str(gpu) for gpu in ray.get_gpu_ids()]
    devices = visible_devices(assigned, os.environ.get("CUDA_VISIBLE_DEVICES"))
    address, started = ray.util.get_node_ip_address(), psutil.Process().create_time()
    meets_by = meeting_interfaces(address, interface, os.environ, host_interfaces())
    return WorkerInfo(node_id, socket.gethostname(), address, os.getpid(), started, devices, meets_by)


def missing_interface(address: str, interface: str | None) -> str | None:
    """Say which interface this host lacks of those over which its workers are to meet others; None if it has all.

    Args:
        address: under which Ray reaches this node.
        interface: chosen for this run; None where the host decides.
    """
    own = host_interfaces()
    missing = missing_interfaces(meeting_interfaces(address, interface, os.environ, own), own)
    if not missing:
        return None
    return f"{socket.gethostname()} has no network interface {', '.join(missing)}; it has {described(own)}"


def _answered(call: Callable[[], Answer | Failed]) -> Answer | Failed:
    """Return the answer of a call, or what it raised as a failure."""
    try:
        return call()
    except Exception as error:
        return Failed(failure_kind(error), first_line(named_message(error)), traceback=traceback_text())


def make_member(code: MemberCode, rank_info: RankInfo, one_node: bool, interface: str | None = None) -> Member | Failed:
    """Make this process's member. The environment is set first, because libraries read it once.

    Args:
        code: makes the member.
        rank_info: this worker's rank and device.
        one_node: whether all workers of the group run on this node.
        interface: chosen for this run; None where the host decides.

    Returns:
        The member, or the failure if the code cannot be imported or raises.
    """
    network = network_variables(rank_info.host, one_node, interface, os.environ, host_interfaces())
    os.environ.update({**environment(rank_info, os.environ), **network})
    try:
        return code.make(rank_info)
    except Exception as error:
        kind, message = failure_kind(error), first_line(named_message(error))
        return Failed(kind, message, traceback=traceback_text(), rank=rank_info.rank)


def environment(rank_info: RankInfo, inherited: Mapping[str, str]) -> dict[str, str]:
    """Return the environment variables of a worker process, but for those of the network.

    Segments of GPU memory grow, because lengths change with every micro-batch, and blocks of a fixed size would leave
    gaps; cuBLAS gets the workspace with which its results repeat; torch compiles with as many processes as the worker
    has threads, where it would take one for each core of the host. What the user has set of these stays.

    Args:
        rank_info: of the worker.
        inherited: variables that the process has already.
    """
    variables = {
        "RANK": str(rank_info.rank),
        "WORLD_SIZE": str(rank_info.world),
        "LOCAL_RANK": str(rank_info.local_rank),
        "OMP_NUM_THREADS": str(rank_info.threads),
        "TORCHINDUCTOR_COMPILE_THREADS": inherited.get("TORCHINDUCTOR_COMPILE_THREADS", str(rank_info.threads)),
    }
    if rank_info.device == "cpu":
        variables["DS_ACCELERATOR"] = "cpu"
    else:
        variables |= allocator_settings(inherited) | workspace_setting(inherited)
    return variables
