"""What is damaged is named with what becomes of it; results stand, and only what something reads is made again."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from orchestrator.state.ledger import Ledger, read_ledger
from search_spaces.plan import Plan, PlannedTrial
from tests.support.stored_studies import BOTH, answers, finish_trial, key_of, two_stage_plan
from trainables.storage import layout
from trainables.storage.store import LocalStore

PLAN = two_stage_plan(resolutions=(64, 32), seeds=(7,))
ALIGN = layout.module_weights(layout.stage_folder(key_of("align-s7")), "projector")
FINETUNE = layout.module_weights(layout.stage_folder(key_of("finetune-r64-s7")), "projector")


def _scores(trial: PlannedTrial) -> Mapping[str, np.ndarray]:
    return {name: answers(0.5, len(trial.id)) for name in BOTH}


@pytest.fixture
def plan(store: LocalStore) -> Plan:
    """A plan whose two trials are done: they share a stage, and each has trained the same module further."""
    for trial in PLAN.trials:
        finish_trial(store, PLAN, trial, _scores(trial))
    return PLAN


def _states(ledger: Ledger) -> dict[str, str]:
    return {name: entry.state for name, entry in ledger.trials.items()}


def test_results_stand_without_the_weights_behind_them(plan: Plan, store: LocalStore) -> None:
    store.remove(FINETUNE)
    ledger = read_ledger(plan, store)
    assert ledger.is_finished
    (loss,) = ledger.losses
    assert loss.damage.file == FINETUNE
    assert "it is not there; results stand" in str(loss)
    assert "--restore-weights" in str(loss)
    assert "finetune-r64-s7" in ledger.done_nodes


def test_weights_are_restored_where_a_person_asks_for_them(plan: Plan, store: LocalStore) -> None:
    store.remove(FINETUNE)
    store.remove(ALIGN)
    ledger = read_ledger(plan, store, restores_weights=True)
    assert _states(ledger) == {"r64-s7": "half-done", "r32-s7": "done"}
    assert "finetune-r64-s7" not in ledger.done_nodes
    assert "align-s7" not in ledger.done_nodes  # what is trained again starts from it
    assert all("trains" in loss.consequence for loss in ledger.losses)


def test_weights_that_a_new_question_reads_are_trained_again(plan: Plan, store: LocalStore) -> None:
    store.remove(FINETUNE)
    store.remove(ALIGN)
    evaluation = layout.evaluation_result(key_of("evaluation r64-s7"), BOTH[0])
    store.remove(evaluation)
    ledger = read_ledger(plan, store)
    assert _states(ledger) == {"r64-s7": "half-done", "r32-s7": "done"}
    assert {"finetune-r64-s7", "align-s7"}.isdisjoint(ledger.done_nodes)
    assert {loss.damage.file: loss.consequence for loss in ledger.losses} == {
        FINETUNE: "`ablate run` trains finetune again, for 1 trial",
        ALIGN: "`ablate run` trains align again, for 1 trial",
    }


def test_weights_that_a_later_stage_has_trained_further_are_not_trained_again(plan: Plan, store: LocalStore) -> None:
    store.remove(ALIGN)
    store.remove(layout.evaluation_result(key_of("evaluation r64-s7"), BOTH[0]))
    ledger = read_ledger(plan, store)
    assert _states(ledger)["r64-s7"] == "half-done"
    assert "align-s7" in ledger.done_nodes
    assert "results stand" in ledger.losses[0].consequence


@pytest.mark.parametrize("damage", ["gone", "half", "one bit"])
def test_a_trial_whose_scores_per_example_are_damaged_is_half_done(plan: Plan, store: LocalStore, damage: str) -> None:
    name = layout.evaluation_examples(key_of("evaluation r32-s7"), BOTH[1])
    content = store.get(name)
    if damage == "gone":
        store.remove(name)
    else:
        changed = content[:50] + bytes([content[50] ^ 1]) + content[51:]
        store.put(name, content[: len(content) // 2] if damage == "half" else changed)
    shape, whole = read_ledger(plan, store), read_ledger(plan, store, "content")
    assert _states(whole) == {"r64-s7": "done", "r32-s7": "half-done"}
    assert [loss.damage.file for loss in whole.losses] == [name]
    assert (_states(shape)["r32-s7"] == "done") == (damage == "one bit")
    assert whole.trials["r32-s7"].scored == (BOTH[0],)


def test_a_loss_is_told_once_however_often_a_ledger_is_read(
    plan: Plan, store: LocalStore, caplog: pytest.LogCaptureFixture
) -> None:
    store.remove(FINETUNE)
    for _ in range(3):
        read_ledger(plan, store)
    assert caplog.text.count(store.place(FINETUNE)) == 1
