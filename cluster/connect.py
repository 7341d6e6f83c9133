"""Connect to a Ray cluster: one of our own inside this machine, or one that is already running."""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cluster.fit import NodeResources, node_resources, usable_cpus, visible_gpus
from cluster.process_state import hide_ray_notices, set_environment
from search_spaces.error_text import first_line
from search_spaces.errors import InputError

PACKAGES = ("search_spaces", "trainables", "cluster", "orchestrator")
"""The packages that a worker on another machine needs of this project."""

OBJECT_STORE_BYTES = 150 * 1024**2
"""Of an embedded cluster. Workers exchange small mappings only; data and weights go through storage."""

SOCKET_PATH_LIMIT = 107
"""Bytes of a Unix socket's path on Linux (104 on macOS); the longest one of a Ray session adds `SESSION_BYTES`."""

SESSION_BYTES = 80
"""``/session_2026-01-01_00-00-00_000000_1234567/sockets/plasma_store`` and a margin."""

CONNECT_TIMEOUT_S = 10.0

EMBEDDED_ENVIRONMENT = {
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # loopback: nothing listens on the network
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_prestart_worker_first_driver": "0",  # idle Python processes cost memory and are never the right ones
    "RAY_enable_worker_prestart": "0",
    "RAY_DEDUP_LOGS": "0",
}


@contextmanager
def connect(address: str | None = None, cpus: int | None = None) -> Iterator[tuple[NodeResources, ...]]:
    """Connect to a Ray cluster while the block runs; yields the resources of its nodes.

    Args:
        address: of a running cluster (`auto`, `host:port`, `ray://` is not supported). None: the cluster whose job this
            process is, or that RAY_ADDRESS names; else an embedded one that lives as long as the block.
        cpus: of the embedded cluster; None for all that this process may use.

    Raises:
        InputError: if the cluster cannot be reached.
    """
    address = address or os.environ.get("RAY_ADDRESS") or None
    with _attached(address) if address and address != "local" else _embedded(cpus) as nodes:
        yield nodes


@contextmanager
def _embedded(cpus: int | None) -> Iterator[tuple[NodeResources, ...]]:
    folder = Path(tempfile.mkdtemp(prefix="ablate-", dir=short_folder(tempfile.gettempdir())))
    gpus = visible_gpus()
    variables = {**EMBEDDED_ENVIRONMENT, "PYTHONPATH": os.pathsep.join(_search_path())}
    if not gpus:
        variables["DS_ACCELERATOR"] = "cpu"
    try:
        with set_environment(variables), hide_ray_notices():
            import ray
            from ray._private import ray_constants

            ray_constants.ENABLE_RAY_CLUSTER = False  # read from the environment at import, which may have been earlier
            ray.init(
                address="local",
                num_cpus=cpus or usable_cpus(),
                num_gpus=gpus,
                object_store_memory=OBJECT_STORE_BYTES,
                include_dashboard=False,
                log_to_driver=False,
                configure_logging=False,
                _temp_dir=str(folder),
            )
            try:
                yield node_resources(ray.nodes())
            finally:
                ray.shutdown()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _attached(address: str) -> Iterator[tuple[NodeResources, ...]]:
    import ray

    if address.startswith("ray://"):
        raise InputError(
            f"a cluster's address must be `auto` or host:port of its head, but got {address!r}",
            place="--address",
            way_out="Ray Client has no support for Tune; submit the command as a job instead (ray job submit).",
        )
    environment = None if in_job() else {"py_modules": [str(package_folder(name)) for name in PACKAGES]}
    with hide_ray_notices():
        _attach(ray, address, environment)
        try:
            yield node_resources(ray.nodes())
        finally:
            ray.shutdown()


def _attach(ray: Any, address: str, environment: dict[str, Any] | None) -> None:
    try:
        _require_open_port(address)
        ray.init(address=address, runtime_env=environment, log_to_driver=False, configure_logging=False)
    except (OSError, RuntimeError, ValueError) as error:
        raise InputError(
            f"the Ray cluster must be reachable, but {address!r} is not: {first_line(error)}",
            place="--address",
            way_out="Is it running, and does RAY_AUTH_TOKEN hold its token? `ray status` asks the same question.",
        ) from error


def _require_open_port(address: str) -> None:
    """Raise OSError if nothing listens at host:port; Ray itself would try for minutes."""
    host, _, port = address.rpartition(":")
    if host and port.isdigit():
        socket.create_connection((host, int(port)), timeout=CONNECT_TIMEOUT_S).close()


def in_job() -> bool:
    """Return whether this process is the entry point of a Ray job, so that its code has been shipped already."""
    return "RAY_JOB_CONFIG_JSON_ENV_VAR" in os.environ


def short_folder(preferred: str, fallback: str = "/tmp") -> str:
    """Choose a folder for a Ray session: `preferred`, unless its sockets would get too long a path in it."""
    longest = len(os.fsencode(preferred)) + len("/ablate-12345678") + SESSION_BYTES
    return preferred if longest <= SOCKET_PATH_LIMIT else fallback


def _search_path() -> Sequence[str]:
    """List the folders in which workers look for packages: where ours are, then the PYTHONPATH of this process."""
    roots = dict.fromkeys(str(package_folder(name).parent) for name in PACKAGES)
    return [*roots, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]


def package_folder(name: str) -> Path:
    """Return the folder of one of our packages."""
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(f"the package {name} of this project is not installed")
    return Path(next(iter(spec.submodule_search_locations))).resolve()
