"""Reserve room for a trial that does not fit yet, and backfill what does not delay it (EASY backfilling).

Lifka, The ANL/IBM SP scheduling system (1995); Mu'alem and Feitelson, IEEE TPDS 12 (2001).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cluster.fit import NodeResources, place, remaining
from cluster.launcher import ResourceRequest


@dataclass(frozen=True)
class Reservation:
    """Room for one trial, from a moment on."""

    in_s: float
    """Seconds until it is expected to be free."""
    beside: tuple[NodeResources, ...]
    """What is free now and is not needed then, node by node."""


@dataclass(frozen=True)
class Ending:
    """A running trial that will give its room back."""

    in_s: float
    request: ResourceRequest
    placement: tuple[int, ...]


def reserve(
    request: ResourceRequest,
    free: Sequence[NodeResources],
    endings: Iterable[Ending],
    *,
    on_one_node: bool = False,
) -> Reservation | None:
    """Reserve the first room that is expected to be free for a request; None if it fits nowhere even in the end.

    Args:
        request: that does not fit into what is free.
        free: what is free now.
        endings: the running trials.
        on_one_node: whether all of its workers are placed on one node.
    """
    then = list(free)
    capacities = [node.capacity_for(request) for node in then]
    missing, widest = request.workers - sum(capacities), max(capacities, default=0)
    for ending in sorted(endings, key=lambda ending: ending.in_s):
        for i, count in enumerate(ending.placement):
            if count:
                then[i] = then[i].minus(ending.request, -count)
                missing += capacities[i]
                capacities[i] = then[i].capacity_for(request)
                missing -= capacities[i]
                widest = max(widest, capacities[i])
        if widest >= request.workers or (missing <= 0 and not on_one_node):
            placement = place(request, then, on_one_node=on_one_node)
            assert placement is not None  # the capacities say so
            left = remaining(request, then, placement)
            beside = tuple(
                NodeResources(now.name, min(now.cpus, rest.cpus), min(now.gpus, rest.gpus), now.host, now.labels)
                for now, rest in zip(free, left, strict=True)
            )
            return Reservation(ending.in_s, beside)
    return None
