"""Say which nodes may still come to a cluster, and ask its autoscaler for those that waiting trials need."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from cluster.fit import NodeResources, fits_one_node, place, remaining
from cluster.launcher import ResourceRequest
from cluster.node_needs import NodeNeeds
from cluster.profile import MOST_NODES, load_profile
from search_spaces.errors import InputError
from search_spaces.node_labels import ACCELERATOR_LABEL, label_key, label_value


@dataclass(frozen=True)
class Bundle:
    """Room on one node: for one worker, or for all workers of a trial that are placed together."""

    resources: dict[str, float]
    labels: dict[str, str] = field(default_factory=dict)
    """Label of the nodes that may hold it -> selector of its value."""


_NODES = re.compile(r"(?P<count>\d+)x(?P<cpus>\d+)(?::(?P<gpus>\d+))?(?P<labels>(?:@[^@,=]+=[^@,=]+)*)")
"""Count, CPUs, GPUs and labels of nodes that are alike: ``4x192:8@accelerator=H100@market=spot``."""

_ACCELERATOR = "accelerator"
"""What stands for `ACCELERATOR_LABEL` there."""


def read_may_come(text: str) -> tuple[NodeResources, ...]:
    """Read which nodes a cluster has when all have come.

    Args:
        text: name or file of a profile, or nodes as ``COUNTxCPUS:GPUS@LABEL=VALUE``, several kinds separated by commas.

    Raises:
        InputError: for a profile that is not there, for more nodes than a profile may have, and for what is no label.
    """
    kinds = [_NODES.fullmatch(part.strip()) for part in text.split(",")]
    if not all(kinds):
        return load_profile(text).most_nodes
    nodes = list[NodeResources]()
    for number, kind in enumerate(kinds):
        assert kind is not None
        count, cpus, gpus = (int(kind[name] or 0) for name in ("count", "cpus", "gpus"))
        if len(nodes) + count > MOST_NODES:
            raise InputError(f"must be at most {MOST_NODES:,} nodes, but got {text}", key="--may-come")
        labels = _read_labels(kind["labels"])
        nodes += [NodeResources(f"kind {number}, node {i}", cpus, gpus, labels=labels) for i in range(count)]
    return tuple(nodes)


def _read_labels(text: str) -> dict[str, str]:
    labels = {}
    for pair in text.split("@")[1:]:
        key, value = pair.split("=")
        try:
            labels[ACCELERATOR_LABEL if key == _ACCELERATOR else label_key(key)] = label_value(value)
        except ValueError as error:
            raise InputError(f"{key!r}, a label of nodes, or its value {error}", key="--may-come") from error
    return labels


def write_may_come(nodes: Iterable[NodeResources]) -> str:
    """Write nodes in the form that needs no profile."""
    kinds = Counter((node.cpus, node.gpus, _write_labels(node.labels)) for node in nodes)
    return ",".join(f"{count}x{cpus:g}:{gpus:g}{labels}" for (cpus, gpus, labels), count in kinds.items())


def _write_labels(labels: Mapping[str, str]) -> str:
    names = {key: _ACCELERATOR if key == ACCELERATOR_LABEL else key for key in sorted(labels)}
    return "".join(f"@{name}={labels[key]}" for key, name in names.items())


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
        full, needs, wanted = set[ResourceRequest](), NodeNeeds(self.may_come), list(requests)
        for request in wanted:
            needs.add(request)
        if needs.by_node():
            wanted.sort(key=lambda request: len(needs.usable(request)))  # what has the least choice first
        for request in wanted:
            if request in full:
                continue
            on_one_node = fits_one_node(request, self.may_come)
            placement = place(request, free, on_one_node=on_one_node, needs=needs.by_node())
            if placement is None:
                full.add(request)
                continue
            free = remaining(request, free, placement)
            together = request.workers if on_one_node else 1  # two halves of two nodes would not do for one
            room = {name: together * amount for name, amount in request.bundle().items()}
            bundles += [Bundle(room, dict(request.labels))] * (request.workers // together)
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

    labels = {"bundle_label_selectors": [bundle.labels for bundle in bundles]}
    asked = labels if any(bundle.labels for bundle in bundles) else {}
    request_resources(bundles=[bundle.resources for bundle in bundles], **asked)
