"""Simulate runs of trials on a cluster: the schedule of real runs, with a simulated clock, cluster and workers.

What happens is drawn once from a seed: how long each piece of work takes, where attempts fail, which machines go away
and come back. Runs in separate drivers share the cluster and the storage as real ones do: what one of them produces,
the others wait for and find, a poll later.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cluster.fit import NodeResources, totals
from orchestrator.planning.lower_bound import lower_bound_s, plain_bound_s
from orchestrator.planning.simulated_cluster import UNDISTURBED, Disturbances, SimulatedCluster
from orchestrator.running.work import Work


@dataclass(frozen=True)
class SimulatedRun:
    """What a simulation came to. A device is a GPU, or a CPU on a cluster without GPUs."""

    makespan_s: float
    devices: float
    useful_device_s: float
    """Of work that was produced, each piece once."""
    lost_device_s: float
    """Of work that was done again, and of starting groups."""
    plain_bound_s: float
    """The larger of the work divided by the devices, and the longest path."""
    bound_s: float
    """No order whatever ends before: see `lower_bound_s`."""
    dispatched: int
    groups_started: int
    failed_attempts: int

    @property
    def idle_share(self) -> float:
        """Share of the cluster's device-seconds, until the last trial ended, in which nothing useful was done."""
        return 1 - self.useful_device_s / (self.devices * self.makespan_s) if self.makespan_s else 0.0


def simulate(
    drivers: Sequence[Sequence[Work]],
    nodes: Sequence[NodeResources],
    disturbances: Disturbances = UNDISTURBED,
    seed: int = 0,
    max_concurrent: int | None = None,
) -> SimulatedRun:
    """Simulate runs that begin at the same time on one cluster and one storage, until every trial is done.

    Args:
        drivers: the trials of each run, in plan order, with costs in estimated seconds.
        nodes: of the cluster.
        disturbances: what happens that was not estimated.
        seed: of all that is drawn.
        max_concurrent: most trials at a time of each run.

    Raises:
        RuntimeError: trials are left that never start: they fit into no node of the cluster, or the schedule hangs.
    """
    cluster = SimulatedCluster(drivers, nodes, disturbances, seed, max_concurrent)
    makespan_s = cluster.run()
    chains = cluster.chains()
    cpus, gpus = totals(nodes)
    pieces = {piece.id: piece for chain in chains for piece in chain}.values()
    work = [piece.seconds * (piece.request.gpus if gpus else piece.request.cpus) for piece in pieces]
    return SimulatedRun(
        makespan_s=makespan_s,
        devices=gpus or cpus,
        useful_device_s=sum(work),
        lost_device_s=cluster.lost_device_s,
        plain_bound_s=plain_bound_s(chains, nodes),
        bound_s=lower_bound_s(chains, nodes),
        dispatched=cluster.counts["dispatched"],
        groups_started=cluster.counts["groups"],
        failed_attempts=cluster.counts["failed"],
    )
