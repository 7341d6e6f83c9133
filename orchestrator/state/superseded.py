"""Set aside what earlier attempts left of trials whose data or weights have changed since."""

from __future__ import annotations

import time

from orchestrator.state.ledger import Ledger
from search_spaces.plan import Plan
from trainables.storage import layout
from trainables.storage.record_files import read_or_drop
from trainables.storage.records import Attempt
from trainables.storage.store import Store


def set_aside_changed(plan: Plan, ledger: Ledger, store: Store) -> None:
    """Move the folder of every trial whose stage keys have changed to `superseded`: it starts anew, with its own spool.

    So is one whose task is damaged, as nobody knows what it was. Trials that are done or running are left alone.
    """
    for trial in plan.trials:
        if ledger.trials[trial.id].state in ("done", "running"):
            continue
        task = layout.trial_task(plan.study, trial.id)
        if not store.exists(task):
            continue
        attempt = read_or_drop(store, task, Attempt, "the trial starts anew, and its folder is kept as superseded")
        keys = [stage.key for stage in attempt.stages] if attempt is not None else []
        if keys != [node.key for node in trial.stage_nodes(plan)]:
            last = keys[-1][:12] if keys else "unknown"
            kept = layout.superseded(plan.study, trial.id, last, int(time.time()))
            store.move(layout.trial_folder(plan.study, trial.id), kept)
