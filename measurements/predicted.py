"""Run a study, and simulate it with what its pieces of work took: ``python -m measurements.predicted [STUDY]``.

The simulation is the one behind the wall time of `ablate plan --profile`: the schedule of real runs, on a simulated
clock and cluster. Both times go from the first hand-out of a trial to the end of the last one.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from cluster.fit import this_machine
from measurements.cost import told_cost
from orchestrator.planning.simulated_cluster import Disturbances
from orchestrator.planning.simulation import SimulatedRun, simulate
from orchestrator.running.tasks import requests_by_arm
from orchestrator.running.work import Work
from search_spaces.expansion.expand import plan_study
from search_spaces.plan import Plan, PlannedTrial
from search_spaces.study_files import load_study


@dataclass(frozen=True)
class Measured:
    """What a run took, read from its events."""

    wall_s: float
    """From the first hand-out to the end of the last trial."""
    seconds: Mapping[str, float]
    """Id of a node of the work graph -> seconds from the end of what the trial did before it."""
    group_start_s: float
    """Median over the groups that were started."""
    groups: int
    """Number of groups that were started."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("study", nargs="?", default="quickstart")
    parser.add_argument("--toy", action="store_true", help="run its toy form")
    parser.add_argument("--events", type=Path, help="of such a run that has ended, in place of a run")
    arguments = parser.parse_args()
    plan = plan_study(load_study(arguments.study), toy=arguments.toy)
    nodes = this_machine()
    if arguments.events:
        events = _read(arguments.events)
    else:
        with TemporaryDirectory() as folder:
            events = _run(arguments.study, Path(folder), toy=arguments.toy)
    measured = read_events(events, plan)
    predicted = predict(plan, measured)
    print(f"load {os.getloadavg()[0]:.1f}, {nodes[0].cpus:g} CPUs, {len(plan.trials)} trials")
    print(f"took      {measured.wall_s:.1f} s; {measured.groups} groups, {measured.group_start_s:.1f} s to start one")
    print(f"predicted {predicted.makespan_s:.1f} s; {predicted.groups_started} groups")
    print(f"bound     {predicted.bound_s:.1f} s: no order ends before")
    print(f"predicted over took: {predicted.makespan_s / measured.wall_s:.3f}")


def _run(study: str, folder: Path, *, toy: bool) -> list[dict[str, Any]]:
    """Run a study on an empty storage, and return its events."""
    file = folder / "events.jsonl"
    command = [sys.executable, "-m", "orchestrator", "run", study, "--storage", str(folder / "storage")]
    command += ["--events", str(file), "--no-rehearsal", "--offline", *(["--toy"] if toy else [])]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env={**os.environ, "OMP_NUM_THREADS": "1"})
    return _read(file)


def _read(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def read_events(events: Iterable[Mapping[str, Any]], plan: Plan) -> Measured:
    """Read what each piece of work took from the events of a run in which nothing failed.

    Args:
        events: of `ablate run --events`, in order.
        plan: of the study.

    Raises:
        ValueError: a trial of the plan did not end.
    """
    by_trial = defaultdict[str, list[Mapping[str, Any]]](list)
    for event in events:
        if "trial" in event:
            by_trial[event["trial"]].append(event)
    seconds, starts = dict[str, float](), list[float]()
    for trial in plan.trials:
        told = by_trial[trial.id]
        if not told or told[-1]["event"] != "trial done":
            raise ValueError(f"{trial.id} must be done, but is not")
        for node, spent_s in _pieces(trial, told).items():  # who finds it done spends next to nothing on it
            seconds[node] = max(seconds.get(node, 0.0), spent_s)
        starts += [each["at"] - told[0]["at"] for each in told if each.get("fresh_group")]
    every = [event["at"] for told in by_trial.values() for event in told]
    return Measured(max(every) - min(every), seconds, statistics.median(starts) if starts else 0.0, len(starts))


def _pieces(trial: PlannedTrial, told: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Map each piece of work that a trial did to its seconds; scoring is what comes behind the last one."""
    seconds, before_s = dict[str, float](), told[0]["at"]
    for event in told:
        match event["event"]:
            case "workers started" if event["fresh_group"]:
                before_s = event["at"]
            case "work done" if event["node"] in trial.path:
                seconds[event["node"]], before_s = event["at"] - before_s, event["at"]
    seconds[trial.path[-1]] = seconds.get(trial.path[-1], 0.0) + told[-1]["at"] - before_s
    return seconds


def predict(plan: Plan, measured: Measured) -> SimulatedRun:
    """Simulate a study on this machine with the seconds that its pieces of work took."""
    requests = requests_by_arm(plan)
    work = [
        Work(trial.id, trial.path, requests[trial.arm], tuple(measured.seconds[node] for node in trial.path))
        for trial in plan.trials
    ]
    return simulate([work], this_machine(), Disturbances(group_start_s=measured.group_start_s))


if __name__ == "__main__":
    with told_cost():
        main()
