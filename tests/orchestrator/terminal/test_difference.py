"""A difference fits one screen, whatever its size, and a dry run lists every trial and stage."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrator.state.difference import compare
from orchestrator.state.ledger import read_ledger
from orchestrator.terminal.difference import show_difference, show_work
from search_spaces.plan import Plan
from tests.support.stored_studies import answers, fail_trial, finish_trial, key_of, trial_of, two_stage_plan
from tests.support.terminal_text import shown
from trainables.storage import layout
from trainables.storage.store import LocalStore

BOTH = {"shape": answers(0.9), "colour": answers(0.5)}


def _shown(plan: Plan, store: LocalStore, run: set[str] | None = None) -> str:
    todo = {trial.id for trial in plan.trials} if run is None else run
    difference = compare(plan, read_ledger(plan, store), store, todo)
    return shown(lambda console: show_difference(difference, plan, console))


@pytest.fixture
def plan() -> Plan:
    return two_stage_plan()


def test_an_unchanged_study_is_one_line(plan: Plan, store: LocalStore) -> None:
    for trial in plan.trials:
        finish_trial(store, plan, trial, BOTH)
    assert _shown(plan, store) == "small beside what storage has: 6 unchanged\n"


def test_groups_name_arms_with_their_seeds_and_say_what_follows(plan: Plan, store: LocalStore) -> None:
    finish_trial(store, plan, trial_of(plan, "base", 7), BOTH)
    fail_trial(store, plan, trial_of(plan, "base", 8), "no luck")
    text = _shown(plan, store)
    assert "small beside what storage has: 4 new, 1 failed, 1 unchanged" in text
    assert "! failed     1 trial   base (8)" in text
    assert "lost: no luck; train align, finetune, score 2" in text
    assert "Kept: 1 trial, 2 stages (100 steps), 2 scores." in text


def test_the_work_of_every_trial_is_listed_and_what_is_shared_is_marked(plan: Plan, store: LocalStore) -> None:
    store.put(f"{layout.step_checkpoint(key_of('finetune-r64-s7'), 40)}/state", b"weights")
    run = {"r64-s7", "r32-s7"}
    difference = compare(plan, read_ledger(plan, store), store, run)
    assert shown(lambda console: show_work(difference, plan, console)).splitlines() == [
        "r64-s7: align 20 steps; finetune 80 steps from 40; score shape, colour",
        "r32-s7: align 20 steps (shared, listed before); finetune 80 steps; score shape, colour",
    ]


def test_trials_that_are_not_selected_say_so(plan: Plan, store: LocalStore) -> None:
    assert "not selected" in _shown(plan, store, run={"r64-s7"})


def test_a_difference_of_5000_trials_of_a_hundred_failures_fits_one_screen(store: LocalStore) -> None:
    plan = two_stage_plan(resolutions=tuple(range(16, 2516)), seeds=(7, 8))
    for trial in plan.trials[:100]:
        fail_trial(store, plan, trial, f"failure {trial.id}")
    text = _shown(replace(plan, question=""), store)
    assert len(text.splitlines()) <= 24
    assert "more groups of trials" in text
