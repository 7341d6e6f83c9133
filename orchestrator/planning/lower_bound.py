"""Compute how long the work of trials takes at least on a cluster, in whatever order it is done."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from cluster.fit import NodeResources, at_once, totals
from cluster.launcher import ResourceRequest

STEPS = 100
"""Times that are tried at the beginning and at the end: more of them make the bound better by less than a percent."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of work on the path of a trial; trials that share it name the same id."""

    id: str
    seconds: float
    request: ResourceRequest


def lower_bound_s(chains: Sequence[Sequence[Piece]], nodes: Sequence[NodeResources]) -> float:
    """Compute the best of three lower bounds on the seconds until all work is done.

    - The longest path of a trial.
    - Of each request: its work, divided by the trials that the empty cluster runs at once.
    - Of all devices, for any times r and q: r, and q, and in between the work before which a path takes r at least,
      and after which one takes q at least (Carlier 1982, for machines side by side). With r = q = 0 it is all the work
      divided by the devices; other times tell how long the cluster cannot be filled, because paths have only begun or
      are all but done.

    Args:
        chains: of each trial, its pieces of work in order.
        nodes: of the cluster, all of them free.
    """
    if not any(chains):
        return 0.0
    head_s, tail_s, pieces = defaultdict[str, float](lambda: float("inf")), defaultdict[str, float](float), {}
    longest = 0.0
    for chain in chains:
        total, before = sum(piece.seconds for piece in chain), 0.0
        longest = max(longest, total)
        for piece in chain:
            pieces[piece.id] = piece
            head_s[piece.id] = min(head_s[piece.id], before)
            before += piece.seconds
            tail_s[piece.id] = max(tail_s[piece.id], total - before)
    by_request = defaultdict[ResourceRequest, float](float)
    for piece in pieces.values():
        by_request[piece.request] += piece.seconds
    alike = max(seconds / max(1, at_once(request, nodes)) for request, seconds in by_request.items())
    cpus, gpus = totals(nodes)
    windows = [
        _windows_s(
            {name: piece.seconds * asked(piece.request) / there for name, piece in pieces.items()}, head_s, tail_s
        )
        for there, asked in ((cpus, _cpus), (gpus, _gpus))
        if there
    ]
    return max(longest, alike, *windows)


def plain_bound_s(chains: Sequence[Sequence[Piece]], nodes: Sequence[NodeResources]) -> float:
    """Compute the larger of all work divided by the cluster's CPUs or GPUs, and the longest path of a trial."""
    pieces = {piece.id: piece for chain in chains for piece in chain}.values()
    bounds = [sum(piece.seconds for piece in chain) for chain in chains]
    for there, asked in zip(totals(nodes), (_cpus, _gpus), strict=True):
        if there:
            bounds.append(sum(piece.seconds * asked(piece.request) for piece in pieces) / there)
    return max(bounds, default=0.0)


def _cpus(request: ResourceRequest) -> float:
    return request.cpus


def _gpus(request: ResourceRequest) -> float:
    return request.gpus


def _windows_s(work_s: Mapping[str, float], head_s: Mapping[str, float], tail_s: Mapping[str, float]) -> float:
    """Compute the third bound, for `STEPS` quantiles of the times before and after a piece of work.

    Args:
        work_s: each piece of work with the seconds that all devices together would take for it.
        head_s: the shortest path before it.
        tail_s: the longest path after it.
    """
    heads = np.array([head_s[piece] for piece in work_s])
    tails = np.array([tail_s[piece] for piece in work_s])
    work = np.array(list(work_s.values()))
    shares = np.linspace(0, 1, STEPS)
    first_s, last_s = np.unique(np.quantile(heads, shares)), np.unique(np.quantile(tails, shares))
    rows = np.searchsorted(first_s, heads, side="right") - 1
    columns = np.searchsorted(last_s, tails, side="right") - 1
    table = np.zeros((len(first_s), len(last_s)))
    np.add.at(table, (rows, columns), work)
    inside = table[::-1, ::-1].cumsum(0).cumsum(1)[::-1, ::-1]
    return float(np.max(np.where(inside > 0, first_s[:, None] + inside + last_s[None, :], 0.0)))
