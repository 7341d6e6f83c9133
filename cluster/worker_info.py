"""Check where the workers of a group run: on which node, in which process, with which GPUs. No Ray, no processes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from cluster.process import Process
from search_spaces.worker_contract import Failed


@dataclass(frozen=True)
class WorkerInfo:
    """Where a worker of a group runs."""

    node_id: str
    host: str
    """Its name, for people."""
    address: str
    """Under which the other workers reach it."""
    pid: int
    started: float
    """When the process started, in seconds since the epoch."""
    devices: tuple[str, ...] = ()
    """GPUs that the process sees, by the names the driver knows; the first of them is its own."""
    interface: str | None = None
    """Network interfaces over which it meets workers on other hosts; None where gloo and NCCL choose."""

    @property
    def process(self) -> Process:
        """Its process."""
        return Process(self.node_id, self.pid, self.started)

    def located(self, failed: Failed) -> Failed:
        """Return a failure of this worker with where it happened."""
        return replace(failed, host=self.host, node_id=self.node_id, gpu=self.devices[0] if self.devices else None)


def visible_devices(assigned: Sequence[str], variable: str | None) -> tuple[str, ...]:
    """List the GPUs a worker really sees, in the order in which libraries number them.

    Args:
        assigned: ids of the GPUs that Ray has assigned to the worker; none on a CPU.
        variable: CUDA_VISIBLE_DEVICES of its process; a scheduler or RAY_EXPERIMENTAL_NOSET_CUDA_VISIBLE_DEVICES may
            have left another value there than Ray's, and libraries believe the variable.
    """
    if not assigned:
        return ()
    if variable is None:
        return ("0",)  # all are visible, and every rank would take the first
    return tuple(name.strip() for name in variable.split(",") if name.strip()) or tuple(assigned)


def hosts_sentence(workers: Sequence[WorkerInfo]) -> str:
    """Say how many workers of a group each host has: those of several hosts exchange gradients over their network.

    Args:
        workers: of the group, by rank.
    """
    hosts = Counter(_met_at(worker) for worker in workers)
    each = ", ".join(f"{count} on {host}" for host, count in hosts.items())
    return f"the {len(workers)} workers of this group meet over the network: {each}"


def not_met(failed: Failed, workers: Sequence[WorkerInfo], meeting: str) -> Failed:
    """Return the failure of a group that could not meet with the hosts and interfaces over which it has tried to.

    Args:
        failed: of one of the workers.
        workers: of the group, by rank.
        meeting: address at which rank 0 has waited for the others.
    """
    if len({worker.node_id for worker in workers}) == 1:
        return failed
    message = (
        f"{failed.message}; {hosts_sentence(workers)}; rank 0 waits at {meeting}. Can these hosts reach one another"
        " there? `resources: {interface: NAME}` or --interface names another network interface"
    )
    return replace(failed, message=message)


def _met_at(worker: WorkerInfo) -> str:
    """Name a worker's host with the way in which others reach it: `node-a (eth0, 10.0.0.1)`."""
    return f"{worker.host} ({', '.join(filter(None, [worker.interface, worker.address]))})"


def shared_device(workers: Sequence[WorkerInfo]) -> str | None:
    """Explain why a group cannot train: two ranks would use one GPU, or some have one and others have none.

    Args:
        workers: of the group, by rank.

    Returns:
        The reason in one line, or None where each rank has a GPU of its own or none has any.
    """
    users: dict[tuple[str, str], int] = {}
    for rank, worker in enumerate(workers):
        if bool(worker.devices) != bool(workers[0].devices):
            return f"all ranks must have a GPU or none, but of rank 0 and rank {rank} only one has"
        if not worker.devices:
            continue
        first = users.setdefault((worker.node_id, worker.devices[0]), rank)
        if first != rank:
            return (
                f"each rank must have a GPU of its own, but rank {first} (pid {workers[first].pid}) and rank {rank}"
                f" (pid {worker.pid}) both see GPU {worker.devices[0]} of {worker.host} first: ask for whole GPUs, and"
                " unset CUDA_VISIBLE_DEVICES and RAY_EXPERIMENTAL_NOSET_CUDA_VISIBLE_DEVICES where Ray was started"
            )
    return None
