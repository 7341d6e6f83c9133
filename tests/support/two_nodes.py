"""A Ray cluster of several raylets on this machine: a head without CPUs, and nodes that tests kill or drain.

Raylets that share a session folder delete one another's working directories, so each node has a folder of its own. The
file by which `ray start` and `--address auto` find the cluster of this machine is not touched.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import psutil
from ray.cluster_utils import Cluster

from cluster.process_state import set_environment
from tests.support.command_line import ROOT

RAY = str(Path(sys.executable).parent / "ray")
LOOPBACK = "127.0.0.1"
WORKER_NAMES = ("Trainable", "RayTrainWorker")
"""In the names of processes that train, by any launcher."""
PATIENCE_S = 300.0
"""For what comes: generous, as it decides nothing."""

ON_LOOPBACK = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "RAY_USAGE_STATS_ENABLED": "0"}
"""Else Ray takes a head on loopback for one at the address of this host."""

SETTINGS = {
    "health_check_initial_delay_ms": 1000,
    "health_check_period_ms": 500,
    "health_check_timeout_ms": 2000,
    "health_check_failure_threshold": 4,
}
"""Of Ray: a node that is gone is noticed within seconds."""


@dataclass(frozen=True)
class TestNode:
    """A node of the cluster."""

    __test__ = False

    id: str
    raylet: psutil.Process

    def workers(self) -> list[psutil.Process]:
        """List the processes of trials on this node."""
        try:
            children = self.raylet.children()
            return [child for child in children if any(name in " ".join(child.cmdline()) for name in WORKER_NAMES)]
        except psutil.NoSuchProcess:
            return []

    def kill(self) -> None:
        """Kill the raylet and its workers at once, as a machine that loses its power."""
        for process in [self.raylet, *self.raylet.children(recursive=True)]:
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue
        psutil.wait_procs([self.raylet], timeout=PATIENCE_S)


@dataclass(frozen=True)
class TwoNodes:
    """A cluster whose work is done on two nodes."""

    address: str
    """Of the head, as `--address` takes it."""
    nodes: tuple[TestNode, ...]

    def busy(self) -> TestNode | None:
        """Find the node on which a trial's process is; None if none is on any."""
        return next((node for node in self.nodes if node.workers()), None)

    def drain(self, node: TestNode) -> None:
        """Tell the cluster that a node will be taken away in a second, as a cloud does with a spot instance."""
        command = [RAY, "drain-node", "--address", self.address, "--node-id", node.id]
        command += ["--reason", "DRAIN_NODE_REASON_PREEMPTION", "--reason-message", "taken away by a test"]
        command += ["--deadline-remaining-seconds", "1"]
        subprocess.run(command, check=True, capture_output=True, timeout=PATIENCE_S)


@contextmanager
def two_nodes() -> Iterator[TwoNodes]:
    """Start a head and two nodes of one CPU each. All processes are gone when the block has ended."""
    folders = [Path(tempfile.mkdtemp(prefix="r", dir="/tmp")) for _ in range(3)]  # sockets need short paths
    with ExitStack() as stack:
        stack.callback(lambda: [shutil.rmtree(folder, ignore_errors=True) for folder in folders])
        stack.enter_context(set_environment({"PYTHONPATH": str(ROOT), **ON_LOOPBACK}))
        stack.enter_context(patch("ray._private.ray_constants.ENABLE_RAY_CLUSTER", False))  # read at import
        stack.enter_context(patch("ray._private.utils.write_ray_address"))
        stack.enter_context(patch("ray._common.utils.reset_ray_address"))
        cluster = Cluster(shutdown_at_exit=False)
        before = _children()
        stack.callback(_end, before)
        stack.callback(cluster.shutdown)
        head: dict[str, Any] = {"num_cpus": 0, "include_dashboard": False, "_system_config": SETTINGS}
        started = [
            cluster.add_node(
                **(head if number == 0 else {"num_cpus": 1}), temp_dir=str(folder), node_ip_address=LOOPBACK
            )
            for number, folder in enumerate(folders)
        ]
        nodes = tuple(TestNode(node.node_id, _raylet_of(node)) for node in started[1:])
        yield TwoNodes(str(cluster.address), nodes)


def _raylet_of(node: Any) -> psutil.Process:
    (info,) = node.all_processes["raylet"]
    return psutil.Process(info.process.pid)


def _children() -> set[psutil.Process]:
    return set(psutil.Process(os.getpid()).children(recursive=True))


def _end(before: set[psutil.Process]) -> None:
    """Kill what is left of the processes that were started since."""
    left = [process for process in _children() - before if process.is_running()]
    for process in left:
        process.kill()
    assert not psutil.wait_procs(left, timeout=PATIENCE_S)[1]


def wait_for(happened: Any, what: str) -> Any:
    """Look ten times a second until something has happened, and return it."""
    ends = time.monotonic() + PATIENCE_S
    while time.monotonic() < ends:
        found = happened()
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError(f"not seen within {PATIENCE_S:.0f} s: {what}")
