"""Define the facts that checks judge: numbers and words, gathered elsewhere."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Unanswered:
    """Facts that could not be gathered."""

    reason: str
    """Completes "it ...": `gave no answer within 20 s`."""


@dataclass(frozen=True)
class Gpu:
    """Device that a run here would use."""

    name: str
    memory_bytes: int


@dataclass(frozen=True)
class MachineFacts:
    """The machine that the command runs on."""

    cpus: int
    memory_bytes: int
    """That this process may use: of the machine, or of its control group."""
    free_memory_bytes: int
    listed_gpus: int
    """Devices that the driver lists and CUDA_VISIBLE_DEVICES leaves."""
    gpus: tuple[Gpu, ...]
    """Devices that answer."""
    driver: str | None
    """Version of NVIDIA's driver; None without one."""
    gpu_error: str | None
    """What NVIDIA's library says where devices do not answer."""
    torch: str
    """Version of torch, with its build."""
    cuda: str | None = None
    """Version of CUDA that torch is built for; None for a build without it."""
    pairs_apart: tuple[tuple[int, int], ...] = ()
    """Numbers of devices, two by two, that cannot reach each other's memory."""
    shared_memory_bytes: int | None = None
    """Free in /dev/shm; None where there is none."""
    locked_limit_bytes: int | None = None
    """That a process may lock in memory; None for no limit."""


@dataclass(frozen=True)
class PackageFacts:
    """What is installed."""

    versions: dict[str, str]
    unmet: tuple[str, ...] | None
    """Requirements that are not met, with what is installed; None if they are not known."""


@dataclass(frozen=True)
class EmbeddedFacts:
    """What a cluster inside this machine needs before it can start."""

    folder: str
    """Of its sessions: sockets, logs."""
    preferred: str
    """Folder of temporary files; another one than `folder` where its path is too long for sockets."""
    folder_error: str | None
    """Why nothing can be made in the folder."""
    free_bytes: int | None
    shared_memory_bytes: int | None
    """Free in /dev/shm; None where there is none."""
    port_error: str | None
    """Why no port can be opened on loopback."""
    abandoned: int
    """Session folders that killed runs have left."""


@dataclass(frozen=True)
class ClusterFacts:
    """A Ray cluster that was named."""

    error: str | None
    """Where the address is from, and why no head can be reached at it."""
    way_out: str | None
    """Out of the error."""
    address: str | None = None
    """Of the head that answers, as `host:port`."""


@dataclass(frozen=True)
class StorageFacts:
    """The storage root."""

    place: str
    is_there: bool
    error: str | None
    """Which need is not met, and what the file system says."""
    way_out: str | None
    """Out of the error."""
    is_full: bool
    free_bytes: int | None
    free_files: int | None
    """Of its file system; None where it does not count them."""
    flushed_write_s: float | None
    """Median time of a small file that is written aside, flushed and renamed, as every result is."""
    clock_ahead_s: float | None
    """By how much the file system's clock is ahead of this machine's."""
    runs: tuple[str, ...]
    """Runs that go on there: study, who, where, since when."""


@dataclass(frozen=True)
class TrackingFacts:
    """The tracking server, or the database embedded in the storage."""

    address: str | None
    """Without credentials; None for the embedded database."""
    seconds: float
    """That the answer took."""
    error: str | None
    """Why a study would not start with it."""
    way_out: str | None
    """Out of the error."""
    note: str | None
    """What a run will do first."""


@dataclass(frozen=True)
class StudyFacts:
    """A study as a run would begin it."""

    name: str
    error: str | None
    """What is wrong with its file, or with what storage holds of it."""
    trials: int
    done: int
    missing: tuple[str, ...]
    """Data and weights that are not there, each with the place where it was looked for."""
    unread: tuple[str, ...]
    """Data and weights that a run reads first."""
    fetched: tuple[str, ...]
    """Weights that a run fetches first."""
    need_bytes: int | None
    """Peak on storage; None while the size of a model is not known."""
    held_bytes: int
    """Of that, what finished stages and features hold already."""
    free_bytes: int | None
    misfit: str | None
    """Why a trial can never fit into this machine."""
    memory_bytes: int | None
    """Most that a worker needs; None if it is not known."""
    memory_note: str | None
    """What would fit instead."""
    uses_gpus: bool
    workers: int
    """Of the trial with the most."""
    lost_work: str
    """The most that a kill costs, in a sentence."""
    begun: int
    """Stages that go on from a checkpoint."""
    is_elsewhere: bool
    """Whether trials run on a cluster that was named, not on this machine."""
    device_bytes: int | None = None
    """Memory of that share of a GPU, or of the machine where trials use none; None where no GPU is seen."""
    gpu_share: float = 1.0
    """Of a GPU's memory, that the worker that needs the most may take."""
    offloads: bool = False
    """Whether a trial on GPUs keeps states or weights in the host's memory."""
    locked_limit_bytes: int | None = None
    """That a process may lock in memory; None for no limit."""
    compiles: bool = False
    """Whether a stage has its layers compiled."""
    missing_tools: tuple[str, ...] = ()
    """That torch needs to compile, and this machine lacks."""
    launcher_note: str | None = None
    """What to know of the launcher that the study chooses; None for the default."""
