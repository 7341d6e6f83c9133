"""Forecast what the rest of a study takes on a cluster: GPU-hours, wall time, idle time and money, each as an interval.

Wall time comes from a simulation of the cluster by the schedule of real runs (`orchestrator.planning.simulation`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import mean
from typing import Any

from cluster.fit import NodeResources, impossible
from cluster.profile import Profile
from orchestrator.planning.durations import Duration, Source, durations
from orchestrator.planning.estimates import Assumptions
from orchestrator.planning.simulated_cluster import Disturbances
from orchestrator.planning.simulation import SimulatedRun, simulate
from orchestrator.running.tasks import remaining_work, requests_by_arm
from orchestrator.running.work import Work
from orchestrator.state.ledger import Ledger
from search_spaces.plan import Plan
from trainables.storage.records import Expected
from trainables.storage.store import Store

SIGMA: Mapping[Source, float] = {"measured": 0.1, "estimated": 0.3, "assumed": 0.3}
"""By how much pieces of work differ from their estimates among each other, beside what all have in common."""

GROUP_START_S = 30.0
"""To start the workers of a trial where none can be reused, with NCCL and the libraries; 11 to 15 s were measured on a
CPU (`python -m measurements.groups`)."""

DRAWS = 3
"""Simulations of which the mean is given."""


@dataclass(frozen=True)
class Forecast:
    """What the rest of a study takes on a cluster."""

    profile: str
    trials: int
    """That are left and fit."""
    stages: int
    """Of them, each counted once."""
    stages_unshared: int
    """As many as there were if no trial shared any."""
    device_hours: Expected
    """GPU-hours, or CPU-hours on a cluster without GPUs."""
    on_gpus: bool
    wall_hours: Expected
    idle_share: float
    """Share of the device-hours, from the first trial to the end of the last, in which nothing is done."""
    money: Mapping[str, Expected]
    """By currency, of all nodes of the profile for the whole time; empty where some price is not known."""
    sources: Mapping[Source, float]
    """Share of the device-hours that rests on each kind of number."""
    unfit: Mapping[str, str]
    """Arm -> why it fits into no node, even when all have come."""

    def as_json(self) -> dict[str, Any]:
        """Make the field `forecast` of `plan --json`."""
        return {
            "profile": self.profile,
            "trials": self.trials,
            "stages": self.stages,
            "stages_unshared": self.stages_unshared,
            "device_hours": self.device_hours.as_json(),
            "on_gpus": self.on_gpus,
            "wall_hours": self.wall_hours.as_json(),
            "idle_share": self.idle_share,
            "money": {currency: amount.as_json() for currency, amount in self.money.items()},
            "sources": dict(self.sources),
            "unfit": dict(self.unfit),
        }


def forecast(plan: Plan, ledger: Ledger, store: Store, profile: Profile, assumed: Assumptions) -> Forecast:
    """Forecast what the rest of a study takes.

    Args:
        plan: of the study.
        ledger: what storage holds of it.
        store: the storage, whose finished stages correct the estimates.
        profile: of the cluster, all of whose nodes have come.
        assumed: about the GPU.
    """
    nodes = profile.most_nodes
    unfit = impossible(requests_by_arm(plan), nodes)
    fitting = plan.narrowed({trial.id for trial in plan.trials if trial.arm not in unfit})
    pieces = durations(fitting, ledger, store, assumed)
    work = remaining_work(fitting, ledger, {node: piece.seconds for node, piece in pieces.items()})
    done = ledger.done_nodes
    runs = {
        bound: simulated_runs(
            work, {node: getattr(piece, bound) for node, piece in pieces.items()}, pieces, done, nodes
        )
        for bound in ("seconds", "low", "high")
    }
    hours = Expected(*(_hours(runs[bound]) for bound in ("seconds", "low", "high")))
    device_hours = {bound: mean(run.useful_device_s for run in each) / 3600 for bound, each in runs.items()}
    stages = {node for item in work for node in item.path if fitting.nodes[node].kind == "stage" and node not in done}
    return Forecast(
        profile=profile.name,
        trials=len(work),
        stages=len(stages),
        stages_unshared=sum(node in stages for item in work for node in item.path),
        device_hours=Expected(device_hours["seconds"], device_hours["low"], device_hours["high"]),
        on_gpus=any(node.gpus for node in nodes),
        wall_hours=hours,
        idle_share=mean(run.idle_share for run in runs["seconds"]),
        money=_money(profile, hours),
        sources=shares_of_sources(work, pieces, done),
        unfit=unfit,
    )


def simulated_runs(
    work: Sequence[Work],
    seconds: Mapping[str, float],
    pieces: Mapping[str, Duration],
    done: frozenset[str],
    nodes: Sequence[NodeResources],
    draws: int = DRAWS,
    max_concurrent: int | None = None,
) -> list[SimulatedRun]:
    """Simulate the work that is left of trials.

    Args:
        work: the trials.
        seconds: id of a node of the work graph -> the seconds that it is to take.
        pieces: the same -> by what those are known, and so by how much they may be wrong.
        done: ids of nodes that are done.
        nodes: of the cluster.
        draws: number of simulations.
        max_concurrent: most trials at a time; None for as many as fit.
    """
    sigma = max((SIGMA[pieces[node].source] for item in work for node in item.path if node not in done), default=0.0)
    left = [
        replace(item, path=tuple(path), costs=tuple(seconds[node] for node in path))
        for item in work
        if (path := [node for node in item.path if node not in done])
    ]
    disturbances = Disturbances(sigma=sigma, group_start_s=GROUP_START_S)
    return [simulate([left], nodes, disturbances, seed, max_concurrent) for seed in range(draws)]


def _hours(runs: Sequence[SimulatedRun]) -> float:
    return mean(run.makespan_s for run in runs) / 3600


def _money(profile: Profile, hours: Expected) -> dict[str, Expected]:
    """Compute what all nodes of a profile cost for so long, by currency; empty where a price is not known."""
    prices = [(kind.price, kind.max) for kind in profile.nodes]
    prices += [(profile.head.price, 1)] if profile.head is not None else []
    per_hour = defaultdict[str, float](float)
    for price, count in prices:
        if price is None:
            return {}
        per_hour[price.currency] += price.per_hour * count
    return {
        currency: Expected(amount * hours.expected, amount * hours.low, amount * hours.high)
        for currency, amount in per_hour.items()
    }


def shares_of_sources(
    work: Sequence[Work], pieces: Mapping[str, Duration], done: frozenset[str]
) -> dict[Source, float]:
    """Compute which share of the seconds that are left rests on each kind of number."""
    seconds = defaultdict[Source, float](float)
    counted = set(done)
    for item in work:
        for node in item.path:
            if node not in counted:
                counted.add(node)
                seconds[pieces[node].source] += pieces[node].seconds * item.request.workers
    whole = sum(seconds.values())
    return {source: part / whole for source, part in seconds.items()} if whole else {}
