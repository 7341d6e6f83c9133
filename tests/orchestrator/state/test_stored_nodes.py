"""Nodes of a plan are read from storage: what is done, and how many steps of the rest are kept."""

from __future__ import annotations

from orchestrator.state.stored_nodes import read_nodes
from tests.support.stored_studies import finish_stage, key_of, two_stage_plan
from trainables.storage import layout
from trainables.storage.store import LocalStore


def test_read_nodes_counts_the_steps_of_the_newest_checkpoint_of_stages_that_are_not_done(store: LocalStore) -> None:
    plan = two_stage_plan()
    for step in (20, 40):
        store.put(f"{layout.step_checkpoint(key_of('finetune-r64-s7'), step)}/state", b"weights")
    for older in ("00000060", "00000060-2", "00000060-1cpu_zero0_0123abcd"):  # of other formats
        store.put(f"{layout.checkpoints(key_of('finetune-r64-s7'))}/{older}/state", b"weights")
        store.put(f"{layout.checkpoints(key_of('finetune-r16-s7'))}/{older}/state", b"weights")
    store.put(f"{layout.checkpoints(key_of('finetune-r32-s7'))}/writing.aside/state", b"weigh")
    store.put(f"{layout.step_checkpoint(key_of('align-s7'), 10)}/state", b"weights")
    finish_stage(store, plan.nodes["align-s7"])
    nodes = read_nodes(plan, store, store.leases())
    assert nodes.kept_steps == {"finetune-r64-s7": 40}
    assert nodes.done == {"align-s7"}
