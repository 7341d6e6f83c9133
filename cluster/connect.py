"""Connect to a Ray cluster: one of our own inside this machine, or one that is already running."""

from __future__ import annotations

import importlib.util
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from cluster.address import ClusterAddress, unreachable
from cluster.fit import NodeResources, node_resources, usable_cpus, visible_gpus
from cluster.interfaces import nccl_settings
from cluster.private_token import private_token
from cluster.process_state import hide_ray_notices, set_environment
from cluster.temporary import SessionFolder, remove_abandoned
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

START_WITHIN_S = 120.0
"""Seconds that an embedded cluster's node has to start, each of two times."""

EMBEDDED_ENVIRONMENT = {
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # loopback: nothing listens on the network
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_prestart_worker_first_driver": "0",  # idle Python processes cost memory and are never the right ones
    "RAY_enable_worker_prestart": "0",
    "RAY_DEDUP_LOGS": "0",
    "RAY_worker_register_timeout_seconds": "600",  # of 60: a busy machine takes longer to import
}


@contextmanager
def connect(cluster: ClusterAddress | None = None, cpus: int | None = None) -> Iterator[tuple[NodeResources, ...]]:
    """Connect to a Ray cluster while the block runs; yields the resources of its nodes.

    Args:
        cluster: a running one, as `find_cluster` found it; None for an embedded one that lives as long as the block.
        cpus: of the embedded cluster; None for all that this process may use.

    Raises:
        InputError: if the cluster cannot be reached, or the embedded one cannot be started.
    """
    with _embedded(cpus) if cluster is None else _attached(cluster) as nodes:
        yield nodes


@contextmanager
def _embedded(cpus: int | None) -> Iterator[tuple[NodeResources, ...]]:
    gpus = visible_gpus()
    variables = {**EMBEDDED_ENVIRONMENT, "PYTHONPATH": os.pathsep.join(_search_path())}
    if not gpus:
        variables["DS_ACCELERATOR"] = "cpu"
    with ExitStack() as stack:
        stack.enter_context(set_environment(variables))
        stack.enter_context(hide_ray_notices())
        import ray
        from ray._private import ray_constants

        ray_constants.ENABLE_RAY_CLUSTER = False  # read from the environment at import, which may have been earlier
        remove_dead_clusters()
        folder = SessionFolder(Path(short_folder(tempfile.gettempdir())))
        stack.enter_context(private_token(folder.path))
        _start(folder.path / "ray", cpus or usable_cpus(), gpus)
        stack.callback(folder.remove)
        stack.callback(ray.shutdown)
        yield node_resources(ray.nodes())


def remove_dead_clusters() -> None:
    """Remove what embedded clusters of killed processes have left on this machine, and end what runs of them."""
    preferred = tempfile.gettempdir()
    for parent in {preferred, short_folder(preferred)}:
        remove_abandoned(Path(parent))


def _start(folder: Path, cpus: int, gpus: int) -> None:
    """Start an embedded cluster, a second time if the first try fails.

    Args:
        folder: of the Ray session; Ray lets everyone write there, so its parent must be private.
        cpus: of its one node.
        gpus: of its one node.

    Raises:
        InputError: if it does not start; the folder is then left, with the logs.
    """
    import ray

    for last in (False, True):
        try:
            with _patient_start():
                ray.init(
                    address="local",
                    num_cpus=cpus,
                    num_gpus=gpus,
                    object_store_memory=OBJECT_STORE_BYTES,
                    include_dashboard=False,
                    log_to_driver=False,
                    configure_logging=False,
                    _temp_dir=str(folder),
                )
        except Exception as error:  # Ray raises bare exceptions here
            ray.shutdown()
            if last:
                raise InputError(
                    f"Ray must start on this machine, but twice it did not: {first_line(error)}",
                    place=str(folder),
                    way_out="Its logs are there. Is the machine overloaded, or short of memory or of processes? "
                    "Run the same command again when it is quieter.",
                ) from error
            shutil.rmtree(folder, ignore_errors=True)
        else:
            return
    raise AssertionError("the second try returns or raises")


@contextmanager
def _patient_start() -> Iterator[None]:
    """Wait for the first node longer than the 30 s that Ray has as a constant: a busy machine takes minutes."""
    from ray._private import services

    ask = services.get_node

    def ask_until_there(*arguments: Any) -> Any:
        ends = time.monotonic() + START_WITHIN_S
        while time.monotonic() < ends:
            with suppress(RuntimeError):
                return ask(*arguments)
            time.sleep(0.1)
        return ask(*arguments)

    services.get_node = ask_until_there
    try:
        yield
    finally:
        services.get_node = ask


@contextmanager
def _attached(cluster: ClusterAddress) -> Iterator[tuple[NodeResources, ...]]:
    import ray

    environment = None if in_job() else _shipped()
    with hide_ray_notices():
        try:
            ray.init(address=cluster.value, runtime_env=environment, log_to_driver=False, configure_logging=False)
        except Exception as error:  # Ray raises bare exceptions, and errors that are no RayError, too
            raise unreachable(cluster, f"refuses: {first_line(error)}") from error
        try:
            yield node_resources(ray.nodes())
        finally:
            ray.shutdown()


def _shipped() -> dict[str, Any]:
    """Return Ray's runtime environment that brings our code, and the settings of NCCL's log here, to workers."""
    settings = nccl_settings(os.environ)
    modules = [str(package_folder(name)) for name in PACKAGES]
    return {"py_modules": modules, **({"env_vars": settings} if settings else {})}


def in_job() -> bool:
    """Return whether this process is the entry point of a Ray job, so that its code has been shipped already."""
    return "RAY_JOB_CONFIG_JSON_ENV_VAR" in os.environ


def short_folder(preferred: str, fallback: str = "/tmp") -> str:
    """Choose a folder for a Ray session: `preferred`, unless its sockets would get too long a path in it."""
    longest = len(os.fsencode(preferred)) + len("/ablate-12345678/ray") + SESSION_BYTES
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
