"""Say which nodes may still come to a cluster, and ask its autoscaler for those that waiting trials need."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from cluster.fit import NodeResources, place, remaining
from cluster.launcher import ResourceRequest
from cluster.profile import MOST_NODES, load_profile
from search_spaces.errors import InputError

Bundle = dict[str, float]

_NODES = re.compile(r"(\d+)x(\d+)(?::(\d+))?")
"""Count, CPUs and GPUs of nodes that are alike: ``4x192:8``."""


def read_may_come(text: str) -> tuple[NodeResources, ...]:
    """Read which nodes a cluster has when all have come.

    Args:
        text: name or file of a profile, or nodes as ``COUNTxCPUS:GPUS``, several kinds separated by commas.

    Raises:
        InputError: for a profile that is not there, and for more nodes than a profile may have.
    """
    kinds = [_NODES.fullmatch(part.strip()) for part in text.split(",")]
    if not all(kinds):
        return load_profile(text).most_nodes
    nodes = list[NodeResources]()
    for number, kind in enumerate(kinds):
        assert kind is not None
        count, cpus, gpus = (int(group or 0) for group in kind.groups())
        if len(nodes) + count > MOST_NODES:
            raise InputError(f"must be at most {MOST_NODES:,} nodes, but got {text}", key="--may-come")
        nodes += [NodeResources(f"kind {number}, node {i}", cpus, gpus) for i in range(count)]
    return tuple(nodes)


def write_may_come(nodes: Iterable[NodeResources]) -> str:
    """Write nodes in the form that needs no profile."""
    kinds = Counter((node.cpus, node.gpus) for node in nodes)
    return ",".join(f"{count}x{cpus:g}:{gpus:g}" for (cpus, gpus), count in kinds.items())


class Demand:
    """What an autoscaler was asked for. It is to keep a cluster on which all of it fits, until it is asked again.

    Args:
        may_come: all nodes that the cluster may have.
        ask: passes bundles on to the autoscaler; none of them takes back what was asked for.
    """

    def __init__(self, may_come: Sequence[NodeResources], ask: Callable[[list[Bundle]], None] | None = None):
        self.may_come, self._ask = tuple(may_come), ask or _ask_ray
        self._asked: list[Bundle] = []

    def show(self, requests: Iterable[ResourceRequest]) -> None:
        """Ask for room for trials that run or wait, in this order, as many as fit when all nodes have come."""
        free, bundles = self.may_come, list[Bundle]()
        full = set[ResourceRequest]()
        for request in requests:
            if request in full:
                continue
            placement = place(request, free)
            if placement is None:
                full.add(request)
                continue
            free = remaining(request, free, placement)
            bundles += [request.bundle()] * request.workers
        self._pass_on(bundles)

    def withdraw(self) -> None:
        """Take back what was asked for: idle nodes may go."""
        self._pass_on([])

    def _pass_on(self, bundles: list[Bundle]) -> None:
        if bundles != self._asked:
            self._ask(bundles)
            self._asked = bundles


def _ask_ray(bundles: list[Bundle]) -> None:
    from ray.autoscaler.sdk import request_resources

    request_resources(bundles=bundles)
