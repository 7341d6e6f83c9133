"""A trial whose data changed starts with an empty folder, and its old one is kept."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrator.state.ledger import read_ledger
from orchestrator.state.superseded import set_aside_changed
from search_spaces.plan import Plan
from tests.support.stored_studies import answers, finish_trial, key_of, trial_of, two_stage_plan
from trainables.storage import layout
from trainables.storage.record_files import write
from trainables.storage.records import Attempt, AttemptStage
from trainables.storage.store import LocalStore

BOTH = {"shape": answers(0.9), "colour": answers(0.5)}


def _attempted(plan: Plan, store: LocalStore, trial: str) -> None:
    """What is left of an attempt that was handed out with the plan's keys."""
    (planned,) = (each for each in plan.trials if each.id == trial)
    stages = tuple(AttemptStage(key=node.key or "") for node in planned.stage_nodes(plan))
    write(store, layout.trial_task(plan.study, trial), Attempt(stages))
    store.put(layout.spool(plan.study, trial), b'{"ts":1,"step":5,"metrics":{"train/loss":1.0}}\n')


def _with_other_data(plan: Plan) -> Plan:
    nodes = {name: replace(node, key=node.key and key_of(f"other {node.key}")) for name, node in plan.nodes.items()}
    return replace(plan, nodes=nodes)


@pytest.mark.parametrize("finished", [True, False])
def test_a_trial_whose_data_changed_starts_with_an_empty_folder_and_its_old_one_is_kept(
    finished: bool, store: LocalStore
) -> None:
    plan = two_stage_plan()
    _attempted(plan, store, "r64-s7")
    if finished:
        finish_trial(store, plan, trial_of(plan, "base", 7), BOTH)
    changed = _with_other_data(plan)
    set_aside_changed(changed, read_ledger(changed, store), store)
    assert not store.exists(layout.trial_folder(plan.study, "r64-s7"))
    (kept,) = (name for name in store.list(f"studies/{plan.study}/superseded") if name.endswith("spool.jsonl"))
    assert b'"step":5' in store.get(kept)


def test_a_trial_that_is_to_be_resumed_keeps_its_folder(store: LocalStore) -> None:
    plan = two_stage_plan()
    _attempted(plan, store, "r64-s7")
    set_aside_changed(plan, read_ledger(plan, store), store)
    assert store.exists(layout.spool(plan.study, "r64-s7"))
