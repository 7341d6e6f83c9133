"""Work that is left is priced by what finished trials took, where a plan has no GPUs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from orchestrator.planning.estimates import Assumptions
from orchestrator.planning.work_price import WorkPrice, price_stages
from orchestrator.state.ledger import read_ledger
from tests.support.small_plans import small_plan
from tests.support.stored_studies import finish_trial, key_of, trial_of
from trainables.storage.store import LocalStore


def priced(store: LocalStore, *, finished: bool) -> WorkPrice:
    plan = small_plan((64, 32))
    nodes = {name: replace(node, key=node.key and key_of(name)) for name, node in plan.nodes.items()}
    plan = replace(plan, nodes=nodes)
    if finished:
        finish_trial(store, plan, trial_of(plan, "base", 7), {"shape": np.ones(4)})
    left = [node.id for node in trial_of(plan, "resolution=32px", 7).stage_nodes(plan)]
    return price_stages(plan, read_ledger(plan, store), left, Assumptions())


def test_steps_are_priced_by_finished_trials(store: LocalStore) -> None:
    price = priced(store, finished=True)
    assert (price.stages, price.steps, price.worker_seconds) == (1, 10, 20.0)  # as the base took
    assert price.sentence == "1 stage, 10 steps; about 20 s of one worker (by the trials that are done)"


def test_without_finished_trials_there_is_no_price(store: LocalStore) -> None:
    price = priced(store, finished=False)
    assert price.worker_seconds is None
    assert price.sentence == "1 stage, 10 steps"
