"""Gather facts of this machine, its packages and its cluster. Nothing is started or changed."""

from __future__ import annotations

import contextlib
import re
import resource
import shutil
import socket
import tempfile
from collections.abc import Sequence
from importlib import metadata
from importlib.util import find_spec
from itertools import combinations
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

from cluster.address import find_cluster
from cluster.connect import short_folder
from cluster.fit import usable_cpus, visible_gpus
from cluster.temporary import count_abandoned
from orchestrator.doctor.facts import ClusterFacts, EmbeddedFacts, Gpu, MachineFacts, PackageFacts
from search_spaces.error_text import first_line
from search_spaces.errors import InputError
from trainables.host_memory import host_memory
from trainables.package_versions import DRIVER_PACKAGES, installed_versions

DISTRIBUTION = "ablate-vlm"

SHARED_MEMORY = Path("/dev/shm")
DRIVER_VERSION = Path("/sys/module/nvidia/version")


def machine_facts() -> MachineFacts:
    """Read processors, memory and GPUs of this machine."""
    memory = host_memory()
    gpus, apart, error = _answering_gpus()
    return MachineFacts(
        cpus=usable_cpus(),
        memory_bytes=memory.total,
        free_memory_bytes=memory.free,
        listed_gpus=visible_gpus(),
        gpus=gpus,
        driver=DRIVER_VERSION.read_text().strip() if DRIVER_VERSION.is_file() else None,
        gpu_error=error,
        torch=installed_versions(["torch"])["torch"],
        cuda=_cuda_of_torch(),
        pairs_apart=apart,
        shared_memory_bytes=_free_bytes(SHARED_MEMORY),
        locked_limit_bytes=_locked_limit(),
    )


def _cuda_of_torch() -> str | None:
    """Read which version of CUDA torch is built for, without importing it; None for a build without CUDA."""
    spec = find_spec("torch")
    if spec is None or spec.origin is None:
        return None
    try:
        written = re.search(r"^cuda\b.*?=\s*'([0-9.]+)'", Path(spec.origin).with_name("version.py").read_text(), re.M)
    except OSError:
        return None
    return written[1] if written else None


def _locked_limit() -> int | None:
    """Return how many bytes a process may lock in memory; None for no limit."""
    limit, _ = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    return None if limit == resource.RLIM_INFINITY else limit


def _answering_gpus() -> tuple[tuple[Gpu, ...], tuple[tuple[int, int], ...], str | None]:
    """Ask NVIDIA's library for all devices of this machine and the pairs without peer access, or return its error."""
    try:
        import pynvml
    except ImportError as error:
        return (), (), first_line(error)
    try:
        pynvml.nvmlInit()
        handles = [pynvml.nvmlDeviceGetHandleByIndex(index) for index in range(pynvml.nvmlDeviceGetCount())]
        gpus = [_gpu(pynvml.nvmlDeviceGetName(each), pynvml.nvmlDeviceGetMemoryInfo(each)) for each in handles]
    except pynvml.NVMLError as error:
        return (), (), first_line(error)
    return tuple(gpus), _pairs_apart(handles), None


def _pairs_apart(handles: Sequence[Any]) -> tuple[tuple[int, int], ...]:
    """List the pairs of devices that cannot read each other's memory; none where the library does not tell."""
    import pynvml

    apart = []
    for (first, left), (second, right) in combinations(enumerate(handles), 2):
        with contextlib.suppress(pynvml.NVMLError):
            status = pynvml.nvmlDeviceGetP2PStatus(left, right, pynvml.NVML_P2P_CAPS_INDEX_READ)
            if status != pynvml.NVML_P2P_STATUS_OK:
                apart.append((first, second))
    return tuple(apart)


def _gpu(name: str | bytes, memory: object) -> Gpu:
    text = name.decode(errors="replace") if isinstance(name, bytes) else name
    return Gpu(text, int(memory.total))  # type: ignore[attr-defined]


def package_facts() -> PackageFacts:
    """Compare the installed packages with what this program requires."""
    try:
        required = metadata.requires(DISTRIBUTION) or []
    except metadata.PackageNotFoundError:
        return PackageFacts(installed_versions(DRIVER_PACKAGES), None)
    unmet = []
    for requirement in map(Requirement, required):
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            version = installed_versions([requirement.name])[requirement.name]
            if version == "not installed" or not requirement.specifier.contains(version, prereleases=True):
                unmet.append(f"{requirement.name}{requirement.specifier} ({version})")
    return PackageFacts(installed_versions(DRIVER_PACKAGES), tuple(unmet))


def embedded_facts() -> EmbeddedFacts:
    """Look at what a cluster inside this machine needs before it starts."""
    preferred = tempfile.gettempdir()
    folder = Path(short_folder(preferred))
    try:
        with tempfile.TemporaryDirectory(prefix=".ablate-doctor-", dir=folder):
            folder_error = None
    except OSError as error:
        folder_error = error.strerror or first_line(error)
    return EmbeddedFacts(
        folder=str(folder),
        preferred=preferred,
        folder_error=folder_error,
        free_bytes=_free_bytes(folder),
        shared_memory_bytes=_free_bytes(SHARED_MEMORY),
        port_error=_port_error(),
        abandoned=count_abandoned(folder),
    )


def _free_bytes(folder: Path) -> int | None:
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return None


def _port_error() -> str | None:
    """Open a port on loopback, as every part of an embedded cluster does; return what goes wrong."""
    try:
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen()
            socket.create_connection(listener.getsockname(), timeout=5).close()
    except OSError as error:
        return error.strerror or first_line(error)
    return None


def cluster_facts(flag: str | None) -> ClusterFacts:
    """Ask the head of the cluster that `--address` (None: not given) or RAY_ADDRESS names."""
    try:
        cluster = find_cluster(flag)
    except InputError as error:
        return ClusterFacts(f"{error.place}: {error.law}", error.way_out)
    assert cluster is not None, "a cluster is named"
    return ClusterFacts(None, None, cluster.value)
