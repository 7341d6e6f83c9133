"""Check two trials of a shipped study through Ray: each on the GPU, the second in the processes of the first."""

from __future__ import annotations

import time
from pathlib import Path

from cluster.connect import connect
from cluster.fit import usable_cpus, visible_gpus
from measurements.gpu_check.part import Figures
from measurements.gpu_check.planned import Setting
from orchestrator.planning.preflight import preflight
from orchestrator.running.attempts import RunSettings
from orchestrator.running.tasks import make_task, remaining_work
from orchestrator.running.trial_events import Dispatched, TrialEvent
from orchestrator.running.tuner import run_trials
from orchestrator.state.ledger import read_ledger
from search_spaces.expansion.expand import expand_study, plan_expansion
from search_spaces.expansion.toy_resources import Machine
from search_spaces.outcomes import NodeDone, UnitDone
from search_spaces.study_files import load_study
from trainables.storage.store import LocalStore

_STUDY = "quickstart"
_CHANGES = ("resources.gpus_per_worker=1", "recipe.finetune.precision=bf16")
_TRIALS = 2


def run_two_trials(setting: Setting) -> Figures:
    """Run the first two trials of a study at toy size, one after the other; on a machine without a GPU, on its CPU."""
    storage = Path(setting.storage) / "ray"
    storage.mkdir()
    store, machine = LocalStore(storage), Machine(usable_cpus(), visible_gpus())
    expansion = expand_study(load_study(_STUDY, _CHANGES), toy=True, toy_machine=machine)
    known = preflight(expansion.specs(), expansion.evaluation_sets, store, storage, lambda text: None)
    plan = plan_expansion(expansion, digests=known.digests, counts=known.counts)
    trials = {trial.id: trial for trial in plan.trials}
    events: list[TrialEvent] = []
    with connect(cpus=1):
        began = time.perf_counter()
        outcomes = run_trials(
            remaining_work(plan, read_ledger(plan, store))[:_TRIALS],
            plan.nodes,
            (),
            lambda trial: make_task(plan, trials[trial], known.digests, storage, storage),
            store,
            RunSettings(plan.study),
            events.append,
        )
        wall_s = time.perf_counter() - began
    return {
        "study": _STUDY,
        "gpus_per_worker": plan.arms[0].resources.gpus_per_worker,
        "trials_done": len(outcomes.done),
        "groups_started": outcomes.groups_started,
        "groups_reused": outcomes.groups_reused,
        "first_work_s": _seconds_to_first_work(events),
        "wall_s": wall_s,
    }


def _seconds_to_first_work(events: list[TrialEvent]) -> list[float]:
    """Compute for each trial the seconds from its hand-out to its first unit of work, in the order of hand-outs."""
    given, begun = dict[str, float](), dict[str, float]()
    for event in events:
        if isinstance(event.event, Dispatched):
            given[event.trial] = event.at
        elif isinstance(event.event, UnitDone | NodeDone):
            begun.setdefault(event.trial, event.at)
    return [begun[trial] - at for trial, at in given.items() if trial in begun]
