"""Set aside what earlier attempts left of trials whose data or weights have changed since."""

from __future__ import annotations

import time

from orchestrator.state.ledger import Ledger
from search_spaces.plan import Plan
from trainables.storage import layout
from trainables.storage.record_files import read
from trainables.storage.records import Attempt
from trainables.storage.store import Store


def set_aside_changed(plan: Plan, ledger: Ledger, store: Store) -> None:
    """Move the folder of every trial whose stage keys have changed to `superseded`: it starts anew, with its own spool.

    Trials that are done or running are left alone.
    """
    for trial in plan.trials:
        if ledger.trials[trial.id].state in ("done", "running"):
            continue
        attempt = read(store, layout.trial_task(plan.study, trial.id), Attempt)
        if attempt is None:
            continue
        keys = [stage.key for stage in attempt.stages]
        if keys != [node.key for node in trial.stage_nodes(plan)]:
            last = keys[-1][:12] if keys else "unknown"
            kept = layout.superseded(plan.study, trial.id, last, int(time.time()))
            store.move(layout.trial_folder(plan.study, trial.id), kept)
