"""Judge what training on GPUs rests on: the driver, NCCL's ways between devices, locked memory."""

from __future__ import annotations

from collections.abc import Mapping

from orchestrator.doctor.facts import MachineFacts
from orchestrator.doctor.findings import Finding
from search_spaces.quantities import bytes_text, number_of

OLDEST_DRIVERS: Mapping[int, int] = {11: 450, 12: 525, 13: 580}
"""Major version of CUDA -> oldest series of drivers that run what was built for it (CUDA Toolkit release notes, "CUDA
minor version compatibility")."""

LITTLE_SHARED_MEMORY_BYTES = 512 * 1024**2
"""NCCL's segments of a node of eight ranks, with room to spare: its documentation gives containers 1 GB."""


def check_driver(facts: MachineFacts) -> Finding | None:
    """Judge whether the driver runs what torch was built for; None where either is not known."""
    if facts.driver is None or facts.cuda is None:
        return None
    oldest = OLDEST_DRIVERS.get(int(facts.cuda.partition(".")[0]))
    series = facts.driver.partition(".")[0]
    if oldest is None or not series.isdecimal():
        return None
    built = f"torch {facts.torch}, which is built for CUDA {facts.cuda}"
    if int(series) >= oldest:
        return Finding("machine", "right", f"driver {facts.driver} runs {built}")
    says = f"driver {facts.driver} is too old for {built} and needs {oldest} or later: no trial can use a GPU"
    older = max((cuda for cuda, driver in OLDEST_DRIVERS.items() if driver <= int(series)), default=None)
    way_out = "Update the driver" + (
        f", or install torch and torchvision of these versions from PyTorch's index for CUDA {older}"
        " (`pip install --index-url`, as pytorch.org/get-started shows)."
        if older
        else "."
    )
    return Finding("machine", "fails", says, way_out)


def check_peers(facts: MachineFacts) -> Finding | None:
    """Judge whether all devices reach each other's memory; None where there is one device at most."""
    if len(facts.gpus) < 2:
        return None
    if not facts.pairs_apart:
        return Finding("machine", "right", "all GPUs reach each other's memory")
    first, second = facts.pairs_apart[0]
    says = (
        f"{number_of(len(facts.pairs_apart), 'pair')} of GPUs cannot reach each other's memory ({first} and {second},"
        " for example): gradients of several workers go through the host's"
    )
    way_out = "`nvidia-smi topo -p2p r` says why: virtual machines and PCIe's access control (ACS) forbid it."
    return Finding("machine", "slow", says, way_out)


def check_shared_memory(facts: MachineFacts) -> Finding | None:
    """Judge whether NCCL has room for several workers; None where there is one GPU at most."""
    if len(facts.gpus) < 2:
        return None
    free = facts.shared_memory_bytes
    has = "there is no /dev/shm" if free is None else f"/dev/shm has {bytes_text(free)} free"
    if free is not None and free >= LITTLE_SHARED_MEMORY_BYTES:
        return Finding("machine", "right", f"{has} for NCCL")
    says = f"{has}: NCCL may find no room in it for trials of several workers on GPUs"
    return Finding("machine", "slow", says, "Containers: `--shm-size 1g`.")


def check_locked_memory(limit_bytes: int | None) -> Finding:
    """Judge the limit of locked memory for a study that offloads from GPUs.

    Args:
        limit_bytes: that a process may lock; None for no limit.
    """
    if limit_bytes is None:
        return Finding("study", "right", "it offloads to the host's memory, of which a process may lock all")
    says = (
        f"it offloads to the host's memory, and a process may lock {bytes_text(limit_bytes)} of it (`ulimit -l`): more"
        " may be refused, or copied more slowly"
    )
    return Finding("study", "slow", says, "`ulimit -l unlimited` where Ray starts; containers: `--ulimit memlock=-1`.")
