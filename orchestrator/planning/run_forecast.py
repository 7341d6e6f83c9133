"""Forecast what a run takes on the nodes that it is given, so that it can be compared with what it took."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from cluster.fit import NodeResources, describe, impossible
from orchestrator.planning.durations import Duration
from orchestrator.planning.forecast import shares_of_sources, simulated_runs
from orchestrator.running.work import Work, requests_by_trial
from search_spaces.quantities import number_of
from trainables.storage.records import Expected, RunForecast


def forecast_run(
    work: Sequence[Work],
    pieces: Mapping[str, Duration],
    done: frozenset[str],
    nodes: Sequence[NodeResources],
    may_come: Sequence[NodeResources] = (),
    max_concurrent: int | None = None,
) -> RunForecast:
    """Forecast what trials take, by one simulation for what is expected and one for each end of the interval.

    Args:
        work: the trials that are left.
        pieces: id of a node of the work graph -> what it is expected to take.
        done: ids of nodes that are done.
        nodes: that are there. Each trial fits on these or on those that may come.
        may_come: all nodes of the cluster when all have come; none where none come.
        max_concurrent: most trials at a time; None for as many as fit.
    """
    cluster = may_come or nodes
    if impossible(requests_by_trial(work), cluster):
        cluster = [*nodes, *may_come]
    left = {node: item.request.devices for item in reversed(work) for node in item.path if node not in done}

    def device_s(seconds: Mapping[str, float]) -> float:
        return sum(seconds[node] * devices for node, devices in left.items())

    def wall_s(seconds: Mapping[str, float]) -> float:
        (run,) = simulated_runs(work, seconds, pieces, done, cluster, draws=1, max_concurrent=max_concurrent)
        return run.makespan_s

    expected = {node: piece.seconds for node, piece in pieces.items()}
    low = {node: piece.low for node, piece in pieces.items()}
    high = {node: piece.high for node, piece in pieces.items()}
    return RunForecast(
        trials=len(work),
        cluster=_described(cluster),
        wall_s=Expected(wall_s(expected), wall_s(low), wall_s(high)),
        device_s=Expected(device_s(expected), device_s(low), device_s(high)),
        sources={str(source): share for source, share in shares_of_sources(work, pieces, done).items()},
    )


def _described(nodes: Sequence[NodeResources]) -> str:
    """Describe the nodes of a cluster by their kinds: ``2 CPU`` or ``4 nodes of 16 CPU and 8 GPU, 1 node of 2 CPU``."""
    kinds = Counter(describe([node]) for node in nodes)
    if len(nodes) == 1:
        return next(iter(kinds))
    return ", ".join(f"{number_of(count, 'node')} of {kind}" for kind, count in kinds.items())
