"""Judge facts: every check is a pure function from what was gathered to a finding."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from cluster.connect import OBJECT_STORE_BYTES
from orchestrator.doctor.facts import (
    ClusterFacts,
    EmbeddedFacts,
    MachineFacts,
    PackageFacts,
    StorageFacts,
    TrackingFacts,
)
from orchestrator.doctor.findings import Area, Finding
from orchestrator.doctor.gpu_checks import check_driver, check_peers, check_shared_memory
from orchestrator.doctor.study_checks import (
    check_compiler,
    check_data,
    check_fit,
    check_launcher,
    check_lost_work,
    check_memory_need,
    check_offload,
    check_plan,
    check_study_room,
)
from search_spaces.quantities import bytes_text, duration, number_of

CheckName = Literal[
    "memory",
    "gpus",
    "driver",
    "peer access",
    "shared memory",
    "packages",
    "embedded cluster",
    "named cluster",
    "file system",
    "room",
    "flushed writes",
    "clock",
    "runs",
    "tracking server",
    "plan",
    "data and weights",
    "room of the study",
    "fit",
    "launcher",
    "memory of the study",
    "locked memory",
    "compiler",
    "lost work",
]

FactsName = Literal["machine", "packages", "embedded", "cluster", "storage", "tracking", "study"]

RAY_MEMORY_SHARE = 0.95
"""Of a machine's memory: Ray ends workers while more is used (`RAY_memory_usage_threshold`)."""
LITTLE_MEMORY_BYTES = 2 * 1024**3
"""A worker's libraries alone take about 1 GB."""
LITTLE_ROOM_BYTES = 5_000_000_000
LITTLE_SESSION_BYTES = 100 * 1024**2
"""Ray's logs and sockets."""
FEW_FILES = 10_000
SLOW_WRITE_S = 0.02
"""Local disks flush a small file within some milliseconds, good NFS within ten."""
FLUSHED_WRITES_OF_TRIAL = 23
"""Counted in a run of trials of one stage and four benchmarks: 12 files of scores, 4 of the stage, 2 of features, 2 of
the trial, 3 of leases. Step checkpoints come on top."""
CLOCK_TOLERANCE_S = 5.0


@dataclass(frozen=True)
class Check:
    """Question to facts of one kind."""

    of: FactsName
    judge: Callable[[Any], Finding | None]
    """None where other findings say all: nothing of a study that cannot be read, for example."""


def check_memory(facts: MachineFacts) -> Finding:
    """Judge whether workers have memory."""
    says = (
        f"{number_of(facts.cpus, 'CPU')}; {bytes_text(facts.free_memory_bytes)} of "
        f"{bytes_text(facts.memory_bytes)} memory are free"
    )
    way_out = "End what uses it, or run on a larger machine."
    if facts.free_memory_bytes < (1 - RAY_MEMORY_SHARE) * facts.memory_bytes:
        return Finding("machine", "fails", f"{says}: Ray ends workers while over 95 % is used", way_out)
    if facts.free_memory_bytes < LITTLE_MEMORY_BYTES:
        return Finding("machine", "slow", f"{says}: few trials fit at a time", way_out)
    return Finding("machine", "right", says)


def check_gpus(facts: MachineFacts) -> Finding:
    """Judge whether the devices that a run counts on can be used."""
    listed = number_of(facts.listed_gpus, "GPU")
    if facts.listed_gpus and not facts.gpus:
        says = f"the driver lists {listed}, but they do not answer: {facts.gpu_error or 'no device'}"
        return Finding(
            "machine", "fails", says, "Does `nvidia-smi` show them? Driver and library must be of one version."
        )
    if facts.listed_gpus and facts.torch.endswith("+cpu"):
        says = f"there are {listed}, but torch {facts.torch} is a build without CUDA"
        return Finding("machine", "fails", says, "Install torch and torchvision from the index of a CUDA build.")
    if facts.gpus and not facts.listed_gpus:
        says = f"{number_of(len(facts.gpus), 'GPU')} are there, but a run sees none: it trains on CPUs"
        return Finding("machine", "slow", says, "Set CUDA_VISIBLE_DEVICES; /proc/driver/nvidia/gpus must be visible.")
    if not facts.gpus:
        return Finding("machine", "right", "no GPU: trials train on CPUs")
    kinds = Counter(f"{gpu.name}, {bytes_text(gpu.memory_bytes)}" for gpu in facts.gpus)
    each = "; ".join(f"{count} x {kind}" for kind, count in kinds.items())
    return Finding("machine", "right", f"{each}; a run sees {facts.listed_gpus}; driver {facts.driver or 'unknown'}")


def check_packages(facts: PackageFacts) -> Finding:
    """Judge whether the installed packages are those that are required."""
    versions = ", ".join(f"{name} {version}" for name, version in facts.versions.items())
    if facts.unmet is None:
        return Finding("packages", "unknown", f"requirements are not recorded: ablate-vlm is not installed; {versions}")
    if facts.unmet:
        says = f"required, but installed otherwise: {', '.join(facts.unmet)}"
        return Finding(
            "packages", "fails", says, "Install what is required: `make install`, or pip install ablate-vlm."
        )
    return Finding("packages", "right", versions)


def check_embedded(facts: EmbeddedFacts) -> Finding:
    """Judge whether a cluster inside this machine can start."""
    moved = "Set TMPDIR to a folder on a local disk."
    if facts.folder_error is not None:
        says = f"Ray cannot start: nothing can be made in {facts.folder} ({facts.folder_error})"
        return Finding("cluster", "fails", says, moved)
    if facts.port_error is not None:
        says = f"Ray cannot start: no port can be opened on 127.0.0.1 ({facts.port_error})"
        return Finding("cluster", "fails", says, "A sandbox or a full table of ports forbids it.")
    if facts.free_bytes is not None and facts.free_bytes < LITTLE_SESSION_BYTES:
        says = f"Ray cannot start: {bytes_text(facts.free_bytes)} are free in {facts.folder}"
        return Finding("cluster", "fails", says, moved)
    room = "" if facts.free_bytes is None else f", {bytes_text(facts.free_bytes)} free"
    says = f"Ray can start inside this machine: its sessions are in {facts.folder}{room}"
    says += "" if facts.preferred == facts.folder else f" (the path of {facts.preferred} is too long for sockets)"
    if facts.abandoned:
        says += f"; the next run removes {number_of(facts.abandoned, 'session')} that killed runs have left"
    if facts.shared_memory_bytes is None or facts.shared_memory_bytes < OBJECT_STORE_BYTES:
        free = "absent" if facts.shared_memory_bytes is None else f"has {bytes_text(facts.shared_memory_bytes)} free"
        says += f"; /dev/shm is {free}" if facts.shared_memory_bytes is None else f"; /dev/shm {free}"
        return Finding("cluster", "slow", f"{says}: objects go to disk", "Containers: `--shm-size 1g`.")
    return Finding("cluster", "right", says)


def check_head(facts: ClusterFacts) -> Finding:
    """Judge whether the head of a cluster that was named answers."""
    if facts.error is not None:
        return Finding("cluster", "fails", facts.error, facts.way_out)
    return Finding("cluster", "right", f"the head of the Ray cluster answers at {facts.address}")


def check_file_system(facts: StorageFacts) -> Finding:
    """Judge whether the file system can do what a storage needs."""
    if facts.error is not None:
        says = facts.error if facts.place in facts.error else f"{facts.place}: {facts.error}"
        return Finding("storage", "fails", says, facts.way_out)
    made = "" if facts.is_there else " (a run makes the folder)"
    return Finding("storage", "right", f"{facts.place} can do all that a storage needs{made}; links are not needed")


def check_room(facts: StorageFacts) -> Finding | None:
    """Judge what is free; a full file system is a finding of `check_file_system`."""
    if facts.is_full or facts.free_bytes is None:
        return None
    says, way_out = f"{bytes_text(facts.free_bytes)} are free", "`ablate gc` frees what no study needs."
    if facts.free_files is not None and facts.free_files < FEW_FILES:
        return Finding(
            "storage", "slow", f"{says}, but only {number_of(facts.free_files, 'file')} can be made", way_out
        )
    if facts.free_bytes < LITTLE_ROOM_BYTES:
        return Finding("storage", "slow", f"{says}: a run pauses when nothing is left", way_out)
    return Finding("storage", "right", says)


def check_flushed_writes(facts: StorageFacts) -> Finding | None:
    """Judge how long a small file takes until it is safe, and what that means for a study."""
    if facts.flushed_write_s is None:
        return None
    of_thousand = duration(facts.flushed_write_s * FLUSHED_WRITES_OF_TRIAL * 1000)
    says = (
        f"a small flushed write takes {facts.flushed_write_s * 1000:.1f} ms: {of_thousand} in 1,000 trials of "
        f"{FLUSHED_WRITES_OF_TRIAL} such files each"
    )
    if facts.flushed_write_s < SLOW_WRITE_S:
        return Finding("storage", "right", says)
    return Finding("storage", "slow", says, "A local disk, or a shared one that is less busy, is faster.")


def check_clock(facts: StorageFacts) -> Finding | None:
    """Judge how far the clocks of file system and machine are apart."""
    if facts.clock_ahead_s is None:
        return None
    if abs(facts.clock_ahead_s) <= CLOCK_TOLERANCE_S:
        return Finding("storage", "right", "its clock agrees with this machine's")
    side = "ahead of" if facts.clock_ahead_s > 0 else "behind"
    says = (
        f"its clock is {duration(abs(facts.clock_ahead_s))} {side} this machine's: leases do not mind, but ages and "
        "times that are shown are off"
    )
    return Finding("storage", "slow", says, "Set both by NTP.")


def check_runs(facts: StorageFacts) -> Finding | None:
    """Say which runs go on."""
    if facts.error is not None:
        return None
    if not facts.runs:
        return Finding("storage", "right", "no run goes on there")
    more = f" and {len(facts.runs) - 3} more" if len(facts.runs) > 3 else ""
    says = f"{number_of(len(facts.runs), 'run')}: {'; '.join(facts.runs[:3])}{more}; equal work is shared with them"
    return Finding("storage", "right", says)


def check_tracking(facts: TrackingFacts) -> Finding:
    """Judge whether the tracking server takes this client."""
    name = facts.address or "the database in the storage"
    if facts.error is not None:
        says = facts.error if facts.address is None else f"{facts.address}: {facts.error}"
        return Finding("tracking", "fails", says, facts.way_out)
    if facts.address is None or facts.note is not None:
        return Finding("tracking", "right", f"{name} is used; {facts.note or 'it is ready'}")
    return Finding("tracking", "right", f"{name} answers in {facts.seconds:.1f} s")


CHECKS: Mapping[CheckName, Check] = {
    "memory": Check("machine", check_memory),
    "gpus": Check("machine", check_gpus),
    "driver": Check("machine", check_driver),
    "peer access": Check("machine", check_peers),
    "shared memory": Check("machine", check_shared_memory),
    "packages": Check("packages", check_packages),
    "embedded cluster": Check("embedded", check_embedded),
    "named cluster": Check("cluster", check_head),
    "file system": Check("storage", check_file_system),
    "room": Check("storage", check_room),
    "flushed writes": Check("storage", check_flushed_writes),
    "clock": Check("storage", check_clock),
    "runs": Check("storage", check_runs),
    "tracking server": Check("tracking", check_tracking),
    "plan": Check("study", check_plan),
    "data and weights": Check("study", check_data),
    "room of the study": Check("study", check_study_room),
    "fit": Check("study", check_fit),
    "launcher": Check("study", check_launcher),
    "memory of the study": Check("study", check_memory_need),
    "locked memory": Check("study", check_offload),
    "compiler": Check("study", check_compiler),
    "lost work": Check("study", check_lost_work),
}

AREAS: Mapping[FactsName, Area] = {
    "machine": "machine",
    "packages": "packages",
    "embedded": "cluster",
    "cluster": "cluster",
    "storage": "storage",
    "tracking": "tracking",
    "study": "study",
}
"""Where a finding stands that says that facts could not be gathered."""
