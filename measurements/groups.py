"""Measure the overheads of scheduling from events of a real run: ``python -m measurements.groups``.

- a fresh group: seconds from the hand-out of a trial to its first unit of work done;
- a reused group: seconds from the end of one trial to the first unit of the next one in the same process;
- a whole trial in it, or in a group of its own where the launcher keeps none.

The study is the quickstart at toy size for groups of one and two workers, by every launcher: its trials are nothing but
overhead.
"""

from __future__ import annotations

import itertools
import os
import statistics
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import get_args

os.environ.setdefault("OMP_NUM_THREADS", "1")

from measurements.cost import told_cost
from measurements.toy_trials import run_toy_trials
from search_spaces.worker_contract import LauncherName

MOST: Mapping[LauncherName, int] = {"gang": 6, "ray-train": 3}
"""Trials of each launcher."""


def main() -> None:
    for launcher, workers in itertools.product(get_args(LauncherName), (1, 2)):
        with tempfile.TemporaryDirectory() as storage:
            measure(launcher, workers, Path(storage))


def measure(launcher: LauncherName, workers: int, storage: Path) -> None:
    """Measure one study of toy trials, one after another."""
    most = MOST[launcher]
    run = run_toy_trials(storage, [f"resources.workers={workers}"], cpus=workers, most=most, launcher=launcher)
    starts, ends, outcomes, order = run.starts, run.ends, run.outcomes, list(run.starts)
    between = [starts[after] - ends[before] for before, after in itertools.pairwise(order)]
    whole = [ends[trial] - starts[trial] for trial in order[1:]]
    print(f"{launcher}, {workers} worker(s): {len(outcomes.done)} trials in {run.wall_s:.1f} s,", end=" ")
    print(f"{outcomes.groups_started} group(s) started, {outcomes.groups_reused} reuses")
    print(f"  fresh group, hand-out to first work done: {run.first_work[order[0]] - starts[order[0]]:.1f} s")
    print(f"  end of a trial to hand-out of the next: median {1000 * statistics.median(between):.0f} ms")
    print(f"  a whole toy trial but the first: median {statistics.median(whole):.2f} s")


if __name__ == "__main__":
    with told_cost():
        main()
