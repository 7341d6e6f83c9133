"""Measure the overheads of scheduling from events of a real run: ``python -m measurements.groups``.

- a fresh group: seconds from the hand-out of a trial to its first unit of work done;
- a reused group: seconds from the end of one trial to the first unit of the next one in the same process;
- the share of the study's wall time in which worker processes compute: their CPU seconds over slots times wall seconds.

The study is the quickstart at toy size for groups of one and two workers: its trials are nothing but overhead.
"""

from __future__ import annotations

import itertools
import os
import statistics
import tempfile
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

from measurements.toy_trials import run_toy_trials


def main() -> None:
    for workers in (1, 2):
        with tempfile.TemporaryDirectory() as storage:
            measure(workers, Path(storage))


def measure(workers: int, storage: Path) -> None:
    """Measure one study of toy trials, all in one group of `workers`."""
    run = run_toy_trials(storage, [f"resources.workers={workers}"], cpus=workers)
    starts, ends, outcomes, order = run.starts, run.ends, run.outcomes, list(run.starts)
    between = [starts[after] - ends[before] for before, after in itertools.pairwise(order)]
    whole = [ends[trial] - starts[trial] for trial in order[1:]]
    print(f"{workers} worker(s): {len(outcomes.done)} trials in {run.wall_s:.1f} s,", end=" ")
    print(f"{outcomes.groups_started} group(s) started, {outcomes.groups_reused} reuses")
    print(f"  fresh group, hand-out to first work done: {run.first_work[order[0]] - starts[order[0]]:.1f} s")
    print(f"  reused group, end of a trial to hand-out of the next: median {1000 * statistics.median(between):.0f} ms")
    print(f"  reused group, a whole toy trial: median {statistics.median(whole):.2f} s")


if __name__ == "__main__":
    main()
