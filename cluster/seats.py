"""Where the workers of a group have come to sit, and whether they can train there. No Ray, no processes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Seat:
    """Where an actor of a group has come to sit."""

    node_id: str
    host: str
    pid: int
    devices: tuple[str, ...] = ()
    """GPUs that the process sees, by the names the driver knows; the first of them is its own."""


def visible_devices(assigned: Sequence[str], variable: str | None) -> tuple[str, ...]:
    """List the GPUs a worker really sees, in the order in which libraries number them.

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
    """Say why a group cannot train: two ranks would use one GPU, or some have one and others have none."""
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
