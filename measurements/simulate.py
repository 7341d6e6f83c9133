"""Simulate large clusters: ``python -m measurements.simulate [--seeds N] [--sigma S] [--known] [--only WORD]``.

The schedule of real runs on a simulated clock and cluster. Every row has the time until the last trial has ended,
divided by two lower bounds: the larger of work / devices and the longest path; and the better one of
`orchestrator.planning.lower_bound`. Both are computed from what the work really took, which no run knows beforehand.
"""

from __future__ import annotations

import argparse
import math
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import pairwise
from statistics import mean
from typing import NamedTuple

from cluster.fit import NodeResources
from cluster.launcher import ResourceRequest
from measurements.cost import told_cost
from orchestrator.planning.estimates import Assumptions, estimates
from orchestrator.planning.simulated_cluster import Disturbances
from orchestrator.planning.simulation import simulate
from orchestrator.running.work import Work
from search_spaces.expansion.expand import plan_study
from search_spaces.study_files import load_study

HOUR_S = 3600.0

Drivers = Sequence[Sequence[Work]]


RARE = {"kind": "rare"}
"""Label of some machines."""


def machines(gpus: int, rare: int = 0, per_machine: int = 8) -> list[NodeResources]:
    """Make the machines of a cluster with so many GPUs, and more CPUs than any trial asks for.

    Args:
        gpus: of all machines together.
        rare: number of the machines that have the label.
        per_machine: GPUs of each.
    """
    count = gpus // per_machine
    labels = [RARE if i >= count - rare else {} for i in range(count)]
    return [
        NodeResources(f"machine {i:03}", 16.0 * per_machine, per_machine, labels=own) for i, own in enumerate(labels)
    ]


def gpus(count: int) -> ResourceRequest:
    """Return the request of a trial with one worker on each of so many GPUs."""
    return ResourceRequest(count, 1, 1)


def published_grid() -> list[Work]:
    """List the trials of Prismatic VLMs, with the stages' seconds as `ablate plan` estimates them on H100s."""
    plan = plan_study(load_study("prismatic/design_space"))
    hours = {node: e.gpu_hours if e is not None else None for node, e in estimates(plan, Assumptions()).items()}
    return [
        Work(trial.id, trial.path, gpus(8), tuple((hours.get(node) or 0.0) * HOUR_S / 8 for node in trial.path))
        for trial in plan.trials
    ]


def mix(narrow: int, wide: int, width: int) -> list[Work]:
    """List trials of one hour: so many on one GPU, so many on `width` GPUs."""
    trials = [Work(f"narrow {i}", (f"narrow {i}",), gpus(1), (HOUR_S,)) for i in range(narrow)]
    return trials + [Work(f"wide {i}", (f"wide {i}",), gpus(width), (HOUR_S,)) for i in range(wide)]


def two_kinds(anywhere: int, labelled: int, hours: float = 1.0, width: int = 1) -> list[Work]:
    """List trials of one hour that may run anywhere, and others that ask for the label of the rare machines.

    Args:
        anywhere: number of the first.
        labelled: number of the others.
        hours: of each of the others.
        width: GPUs of every trial.
    """
    bound = ResourceRequest(width, 1, 1, labels=tuple(RARE.items()))
    trials = [Work(f"anywhere {i}", (f"anywhere {i}",), gpus(width), (HOUR_S,)) for i in range(anywhere)]
    return trials + [Work(f"bound {i}", (f"bound {i}",), bound, (hours * HOUR_S,)) for i in range(labelled)]


def tree(trials: int, pieces: int, unique: int, width: int, name: str = "") -> list[Work]:
    """List trials of so many pieces of work of one hour each, the first of which are shared by the more trials.

    The number of different pieces grows by the same factor from each place to the next, up to one for each trial.

    Args:
        trials: number of them.
        pieces: of each trial.
        unique: about so many different pieces in all.
        width: GPUs of each trial.
        name: of the trials.
    """

    def different(factor: float) -> list[int]:
        return [max(1, round(trials / factor ** (pieces - 1 - place))) for place in range(pieces)]

    low, high = 1.001, 100.0
    while high - low > 1e-6:
        middle = (low + high) / 2
        low, high = (middle, high) if sum(different(middle)) > unique else (low, middle)
    counts = different(high)
    work = []
    for trial in range(trials):
        numbers = [trial]
        for before, after in pairwise(reversed([*counts, trials])):
            numbers.append(numbers[-1] * after // before)
        path = tuple(f"{place}: {number}" for place, number in enumerate(reversed(numbers[1:])))
        work.append(Work(f"{name}{trial}", path, gpus(width), (HOUR_S,) * pieces))
    return work


def ten_studies(trials: int, unique: int) -> Drivers:
    """List the trials of ten studies that overlap: each has a tenth of the trials of one tree, in random order."""
    shared = tree(trials, 8, unique, 1)
    random.Random(0).shuffle(shared)
    return [shared[first::10] for first in range(10)]


class Row(NamedTuple):
    """One simulated case."""

    name: str
    gpus: int
    drivers: Callable[[], Drivers]
    disturbances: Disturbances
    rare: int = 0
    """Number of machines with the label."""


def rows(sigma: float) -> list[Row]:
    """List what is simulated, where durations differ from their estimates by so much."""
    noise = Disturbances(sigma=sigma)
    disturbed: Mapping[str, Disturbances] = {
        "groups take 60 s to start": Disturbances(sigma=sigma, group_start_s=60),
        "a failure in 500 GPU-hours": Disturbances(sigma=sigma, failures_per_device_hour=1 / 500),
        "a machine preempted in 50 hours": Disturbances(sigma=sigma, preemptions_per_node_hour=1 / 50),
        "a stage in 20 takes three times as long": Disturbances(sigma=sigma, straggler_share=0.05),
    }
    return [
        *(Row("published grid", size, _alone(published_grid), noise) for size in (32, 64, 128, 1024)),
        *(Row(f"published grid, {name}", 64, _alone(published_grid), what) for name, what in disturbed.items()),
        *(
            Row(f"5,000 trials of 13 pieces, {width} GPU each", size, _alone(tree, 5000, 13, 13252, width), noise)
            for width, size in ((8, 64), (8, 1024), (1, 64), (1, 1024))
        ),
        Row("4,096 trials of 1 GPU alone", 1024, _alone(mix, 4096, 0, 1), noise),
        *(
            Row(f"256 x 1 GPU beside {wide} x {width}", 64, _alone(mix, 256, wide, width), noise)
            for wide, width in ((16, 8), (8, 16), (4, 32), (2, 64))
        ),
        *(
            Row(f"4,096 x 1 GPU beside {wide} x {width}", 1024, _alone(mix, 4096, wide, width), noise)
            for wide, width in ((32, 64), (8, 256), (4, 512), (2, 1024))
        ),
        *(
            Row(f"two kinds: {anywhere} anywhere, {labelled} on 2 of 8 machines, {what}", 64, drivers, noise, rare=2)
            for anywhere, labelled, what, drivers in (
                (192, 64, "of 1 GPU and 1 h", _alone(two_kinds, 192, 64)),
                (256, 16, "of 4 h", _alone(two_kinds, 256, 16, 4)),
                (96, 48, "of 20 min", _alone(two_kinds, 96, 48, 1 / 3)),
                (24, 8, "of 8 GPUs", _alone(two_kinds, 24, 8, 1.0, 8)),
            )
        ),
        *(
            Row(
                f"ten studies in {'one driver' if is_one else '10 drivers'}",
                size,
                partial(_studies, is_one),
                noise,
            )
            for size in (64, 1024)
            for is_one in (True, False)
        ),
    ]


def _alone(trials: Callable[..., list[Work]], *arguments: float) -> Callable[[], Drivers]:
    """Return a function that lists the trials of one driver."""
    return lambda: [trials(*arguments)]


def with_known_seconds(drivers: Drivers, sigma: float, seed: int) -> Drivers:
    """Draw what each piece of work takes, and have the schedule know it beforehand."""
    draws, factors = random.Random(seed), dict[str, float]()
    for node in (node for driver in drivers for work in driver for node in work.path):
        if node not in factors:
            factors[node] = math.exp(draws.gauss(0.0, sigma))

    def known(work: Work) -> Work:
        costs = zip(work.path, work.costs, strict=True)
        return replace(work, costs=tuple(seconds * factors[node] for node, seconds in costs))

    return [[known(work) for work in driver] for driver in drivers]


def _studies(in_one_driver: bool) -> Drivers:
    studies = ten_studies(2000, 2588)
    return [[work for study in studies for work in study]] if in_one_driver else studies


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--sigma", type=float, default=0.3, help="of the logarithm of actual over estimated seconds")
    parser.add_argument("--only", default="", help="rows with this word in their name")
    parser.add_argument("--known", action="store_true", help="the schedule knows beforehand what each piece takes")
    arguments = parser.parse_args()
    known = " that are known beforehand" if arguments.known else ""
    print(f"durations of sigma {arguments.sigma:g}{known}, mean of {arguments.seeds} seeds")
    print("| trials | GPUs | x work and path | x better bound | idle | lost | CPU s |")
    print("|---|--:|--:|--:|--:|--:|--:|")
    for name, size, drivers, disturbances, rare in rows(arguments.sigma):
        if arguments.only not in name:
            continue
        began_s = time.process_time()
        runs = []
        for seed in range(arguments.seeds):
            work = drivers()
            if arguments.known:
                work, disturbances = with_known_seconds(work, arguments.sigma, seed), replace(disturbances, sigma=0.0)
            runs.append(simulate(work, machines(size, rare), disturbances, seed))
        cpu_s = (time.process_time() - began_s) / len(runs)
        plain, better = (
            mean(run.makespan_s / bound for run, bound in pairs)
            for pairs in (
                [(run, run.plain_bound_s) for run in runs],
                [(run, run.bound_s) for run in runs],
            )
        )
        idle = mean(run.idle_share for run in runs)
        lost = mean(run.lost_device_s / run.useful_device_s for run in runs)
        print(f"| {name} | {size:,} | {plain:.3f} | {better:.3f} | {idle:.0%} | {lost:.1%} | {cpu_s:.1f} |", flush=True)


if __name__ == "__main__":
    with told_cost():
        main()
