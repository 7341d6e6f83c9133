"""Fit trials to a cluster: whether a resource request can be met, and how many trials run at once. No Ray."""

from __future__ import annotations

import math
import os
import re
import socket
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from cluster.launcher import ResourceRequest
from search_spaces.errors import InputError
from search_spaces.node_labels import ACCELERATOR_LABEL, accelerator_type, are_selected

DRIVER = Path("/proc/driver/nvidia/gpus")
"""Folder in which NVIDIA's driver lists the devices."""

ROUNDING = 1e-6
"""Fractions of a device add up in binary floating point; Ray itself counts in units of 1e-4."""


@dataclass(frozen=True)
class NodeResources:
    """The CPUs and GPUs of one node of a cluster: all of them, or those that are free."""

    name: str
    """Ray's id of the node."""
    cpus: float
    gpus: float = 0
    host: str = ""
    """Its name, for people."""
    labels: Mapping[str, str] = field(default_factory=dict, hash=False)

    def has_labels_for(self, request: ResourceRequest) -> bool:
        """Check whether this node's labels are those that a request asks for."""
        return not request.labels or are_selected(dict(request.labels), self.labels)

    def capacity_for(self, request: ResourceRequest) -> int:
        """Count the workers of a request that fit into this node, at most as many as the request has."""
        if self.name in request.avoided or not self.has_labels_for(request):
            return 0
        by_cpus = (self.cpus + ROUNDING) // request.cpus_per_worker
        by_gpus = (self.gpus + ROUNDING) // request.gpus_per_worker if request.gpus_per_worker else by_cpus
        return int(max(0, min(by_cpus, by_gpus, request.workers)))

    def minus(self, request: ResourceRequest, workers: int) -> NodeResources:
        """Subtract what so many workers of a request use; a negative number of workers gives it back."""
        cpus, gpus = workers * request.cpus_per_worker, workers * request.gpus_per_worker
        return NodeResources(self.name, self.cpus - cpus, self.gpus - gpus, self.host, self.labels)


def fits_one_node(request: ResourceRequest, nodes: Iterable[NodeResources]) -> bool:
    """Check whether one node of an empty cluster holds all workers of a trial: then they are never put apart."""
    return any(node.capacity_for(request) == request.workers for node in nodes)


def place(
    request: ResourceRequest,
    free: Sequence[NodeResources],
    *,
    on_one_node: bool = False,
    needs: Sequence[int] = (),
) -> tuple[int, ...] | None:
    """Place the workers of a trial: return how many go to each node, or None if they do not all fit.

    One node for all of them if there is one, the tightest; else as few nodes as possible, as Ray's PACK does. Either
    is looked for among the nodes that others need least first.

    Args:
        request: of the trial.
        free: what is free, node by node.
        on_one_node: place them on one node or not at all, as Ray's STRICT_PACK does.
        needs: node by node, how many others need it; all alike if it is empty.
    """
    capacities = [node.capacity_for(request) for node in free]
    levels = sorted({need for need, capacity in zip(needs, capacities, strict=True) if capacity}) if needs else []
    for most in levels[:-1]:
        least_needed = [capacity if need <= most else 0 for need, capacity in zip(needs, capacities, strict=True)]
        placement = _packed(request, free, least_needed, on_one_node=on_one_node)
        if placement is not None:
            return placement
    return _packed(request, free, capacities, on_one_node=on_one_node)


def _packed(
    request: ResourceRequest, free: Sequence[NodeResources], capacities: Sequence[int], *, on_one_node: bool
) -> tuple[int, ...] | None:
    """Place the workers of a trial on as few nodes as possible, each of which can hold so many of them."""
    whole = [i for i, capacity in enumerate(capacities) if capacity == request.workers]
    if whole:
        tightest = min(whole, key=lambda i: (free[i].gpus, free[i].cpus))
        return tuple(request.workers if i == tightest else 0 for i in range(len(free)))
    if on_one_node:
        return None
    placement, missing = [0] * len(free), request.workers
    for i in sorted(range(len(free)), key=lambda i: -capacities[i]):
        placement[i] = min(missing, capacities[i])
        missing -= placement[i]
    return None if missing else tuple(placement)


def remaining(
    request: ResourceRequest, free: Sequence[NodeResources], placement: Sequence[int]
) -> tuple[NodeResources, ...]:
    """Compute what is free once the workers of a request are placed.

    Args:
        request: what each of the workers uses.
        free: what is free before, node by node.
        placement: number of workers on each of these nodes, in the same order; negative numbers give back.
    """
    return tuple(node.minus(request, count) for node, count in zip(free, placement, strict=True))


def totals(nodes: Sequence[NodeResources]) -> tuple[float, float]:
    """Sum the CPUs and the GPUs of a cluster."""
    return sum(node.cpus for node in nodes), sum(node.gpus for node in nodes)


def share(request: ResourceRequest, nodes: Sequence[NodeResources]) -> float:
    """Compute the share of a cluster that a trial takes: of its CPUs or of its GPUs, whichever is larger.

    Only nodes count whose labels it asks for. Infinite where the cluster has nothing of what is asked for.
    """
    usable = [node for node in nodes if node.has_labels_for(request)]
    pairs = zip((request.cpus, request.gpus), totals(usable), strict=True)
    return max(asked / there if there else math.inf for asked, there in pairs if asked)


def at_once(request: ResourceRequest, nodes: Sequence[NodeResources], limit: int = 10_000) -> int:
    """Count the trials of one request that an empty cluster runs at the same time.

    Args:
        request: what each trial needs.
        nodes: all nodes of the cluster.
        limit: the count ends there.
    """
    any_number = replace(request, workers=limit * request.workers)
    capacities = [node.capacity_for(any_number) for node in nodes]
    if fits_one_node(request, nodes):
        return min(limit, sum(capacity // request.workers for capacity in capacities))
    return min(limit, sum(capacities) // request.workers)


def impossible(requests: Mapping[str, ResourceRequest], nodes: Sequence[NodeResources]) -> dict[str, str]:
    """Map the names of requests that this cluster can never meet, even when it is empty, to the reasons."""
    reasons: dict[ResourceRequest, str | None] = {}
    for request in requests.values():
        if request not in reasons:
            is_met = place(request, nodes) is not None
            has = describe(nodes, [key for key, _ in request.labels])
            reasons[request] = None if is_met else f"asks for {request}, but the cluster has {has}"
    return {name: reason for name, request in requests.items() if (reason := reasons[request]) is not None}


def refuse_impossible(requests: Mapping[str, ResourceRequest], nodes: Sequence[NodeResources]) -> None:
    """Refuse a study with a request that can never be met: waiting for it would last for ever.

    Raises:
        InputError: naming the first such request, what the cluster has, and how many more there are.
    """
    problems = impossible(requests, nodes)
    if not problems:
        return
    name, reason = next(iter(problems.items()))
    others = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    raise InputError(
        f"every trial must fit into the cluster, but {name} {reason}{others}",
        key="resources",
        way_out="Ask for fewer workers or devices, or other nodes, under `resources`, or give another cluster with "
        "--address.",
    )


def refuse_unfit(
    requests: Mapping[str, ResourceRequest], nodes: Sequence[NodeResources], may_come: Sequence[NodeResources]
) -> None:
    """Refuse a study with a request that neither the nodes that are there can meet nor those that may come.

    Args:
        requests: by name.
        nodes: that are there.
        may_come: all nodes of the cluster when all have come; none where none come.

    Raises:
        InputError: as `refuse_impossible` does.
    """
    unfit = impossible(requests, nodes)
    refuse_impossible({name: requests[name] for name in unfit}, may_come or nodes)


def describe(nodes: Sequence[NodeResources], labels: Sequence[str] = ()) -> str:
    """Describe the nodes of a cluster for people: ``2 CPU`` or ``2 nodes: 8 CPU and 4 GPU, 16 CPU``.

    Args:
        nodes: of the cluster.
        labels: whose values are shown too.
    """

    def described(node: NodeResources) -> str:
        gpus = f" and {node.gpus:g} GPU" if node.gpus else ""
        shown = ", ".join(f"{key} {node.labels.get(key, 'none')}" for key in labels)
        return f"{node.cpus:g} CPU{gpus}{f' ({shown})' if shown else ''}"

    each = [described(node) for node in nodes]
    if len(each) == 1:
        return each[0]
    return f"{len(each)} nodes: {', '.join(each)}" if each else "no node"


def node_resources(nodes: Iterable[Mapping[str, object]]) -> tuple[NodeResources, ...]:
    """Read the nodes that are alive from what `ray.nodes()` returns, in a stable order."""
    alive = []
    for node in nodes:
        resources = node.get("Resources")
        if node.get("Alive") and isinstance(resources, Mapping):
            cpus, gpus = float(resources.get("CPU", 0)), float(resources.get("GPU", 0))
            host, labels = str(node.get("NodeManagerHostname", "")), node.get("Labels")
            known = {str(key): str(value) for key, value in labels.items()} if isinstance(labels, Mapping) else {}
            alive.append(NodeResources(str(node.get("NodeID")), cpus, gpus, host, known))
    return tuple(sorted(alive, key=lambda node: node.name))


def this_machine(cpus: int | None = None) -> tuple[NodeResources, ...]:
    """Return the one node of an embedded cluster: the CPUs this process may use (or `cpus`), the GPUs it can see."""
    kind = first_accelerator()
    labels = {ACCELERATOR_LABEL: kind} if kind is not None else {}
    return (NodeResources("this machine", cpus or usable_cpus(), visible_gpus(), socket.gethostname(), labels),)


def usable_cpus() -> int:
    """Count the CPUs that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def first_accelerator(driver: Path = DRIVER) -> str | None:
    """Name the kind of this machine's first NVIDIA device as Ray names it, ``H100``; None where there is none."""
    for file in sorted(driver.glob("*/information")):
        found = re.search(r"^Model:\s+(.+)$", file.read_text(encoding="utf-8"), re.MULTILINE)
        if found is not None:
            return accelerator_type(found[1])
    return None


def visible_gpus(driver: Path = DRIVER) -> int:
    """Count the NVIDIA devices without importing torch: what the driver lists, unless CUDA_VISIBLE_DEVICES chooses."""
    listed = len(list(driver.iterdir())) if driver.is_dir() else 0
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is None:
        return listed
    names = [name for name in chosen.split(",") if name.strip() not in ("", "-1", "NoDevFiles")]
    return min(listed, len(names))
