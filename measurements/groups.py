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
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

from cluster.connect import connect
from orchestrator.planning.preflight import preflight
from orchestrator.running.attempts import RunSettings
from orchestrator.running.tasks import make_task, remaining_work
from orchestrator.running.trial_events import Dispatched, TrialEvent
from orchestrator.running.tuner import run_trials
from orchestrator.state.ledger import read_ledger
from search_spaces.expansion.expand import expand_study, plan_expansion
from search_spaces.outcomes import NodeDone, TrialDone, UnitDone
from search_spaces.study_files import load_study
from trainables.storage.store import LocalStore


def main() -> None:
    for workers in (1, 2):
        with tempfile.TemporaryDirectory() as storage:
            measure(workers, Path(storage))


def measure(workers: int, storage: Path) -> None:
    """Measure one study of toy trials, all in one group of `workers`."""
    store, study = LocalStore(storage), load_study("quickstart", [f"resources.workers={workers}"])
    expansion = expand_study(study, toy=True)
    known = preflight(expansion.specs(), expansion.evaluation_sets, store, storage, lambda text: None)
    plan = plan_expansion(expansion, digests=known.digests, counts=known.counts)
    trials = {trial.id: trial for trial in plan.trials}
    events: list[TrialEvent] = []
    with connect(cpus=workers):
        began = time.perf_counter()
        outcomes = run_trials(
            remaining_work(plan, read_ledger(plan, store)),
            plan.nodes,
            (),
            lambda trial: make_task(plan, trials[trial], known.digests, storage, storage),
            store,
            RunSettings(plan.study),
            events.append,
        )
        wall = time.perf_counter() - began
    starts = {event.trial: event.at for event in events if isinstance(event.event, Dispatched)}
    first_work: dict[str, float] = {}
    for event in events:
        if isinstance(event.event, UnitDone | NodeDone):
            first_work.setdefault(event.trial, event.at)
    order = sorted(starts, key=starts.__getitem__)
    ends = {event.trial: event.at for event in events if isinstance(event.event, TrialDone)}
    between = [starts[after] - ends[before] for before, after in itertools.pairwise(order)]
    whole = [ends[trial] - starts[trial] for trial in order[1:]]
    print(f"{workers} worker(s): {len(outcomes.done)} trials in {wall:.1f} s,", end=" ")
    print(f"{outcomes.groups_started} group(s) started, {outcomes.groups_reused} reuses")
    print(f"  fresh group, hand-out to first work done: {first_work[order[0]] - starts[order[0]]:.1f} s")
    print(f"  reused group, end of a trial to hand-out of the next: median {1000 * statistics.median(between):.0f} ms")
    print(f"  reused group, a whole toy trial: median {statistics.median(whole):.2f} s")


if __name__ == "__main__":
    main()
