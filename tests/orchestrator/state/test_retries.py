"""Which failed trials a run tries again by itself."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import pytest

from orchestrator.state.failure_answers import ANSWERS
from orchestrator.state.ledger import read_ledger
from orchestrator.state.retries import left_alone, remember_retries
from search_spaces.outcomes import FailureKind
from search_spaces.plan import Plan
from tests.support.small_records import failure
from tests.support.stored_studies import key_of, two_stage_plan
from trainables.storage import layout
from trainables.storage.record_files import write
from trainables.storage.store import LocalStore

TRIAL = "r64-s7"


def _fail(
    store: LocalStore, plan: Plan, kind: FailureKind, message: str = "record 7 is broken", remedy: str = ""
) -> None:
    record = failure(TRIAL, kind=kind, message=message, remedy=remedy)
    write(store, layout.trial_failure(plan.study, TRIAL), record)


def _run_again(store: LocalStore, plan: Plan, program: str = "one") -> bool:
    """Begin a run: whether it takes the failed trial up, which it then remembers."""
    ledger = read_ledger(plan, store)
    if TRIAL in left_alone(plan, ledger, store, lambda: program):
        return False
    remember_retries(plan, ledger, store, lambda: program)
    return True


@pytest.mark.parametrize("kind", get_args(FailureKind))
def test_an_equal_failure_is_tried_again_without_end_only_where_its_cause_may_have_gone(
    kind: FailureKind, store: LocalStore
) -> None:
    plan = two_stage_plan()
    taken_up = []
    for attempt in range(3):
        _fail(store, plan, kind, f"record 7 is broken, after {attempt} s at 0x7f{attempt}")
        taken_up.append(_run_again(store, plan))
    assert taken_up == [True, ANSWERS[kind].may_have_gone, ANSWERS[kind].may_have_gone]


def test_a_failure_whose_next_attempt_does_something_differently_is_tried_again(store: LocalStore) -> None:
    plan = two_stage_plan()
    for _ in range(3):
        _fail(store, plan, "memory", remedy="half the micro-batch")
        assert _run_again(store, plan)


def test_a_trial_that_was_not_started_as_its_rehearsal_failed_is_taken_up_by_every_run(store: LocalStore) -> None:
    plan = two_stage_plan()
    for _ in range(3):
        write(store, layout.trial_failure(plan.study, TRIAL), failure(TRIAL, kind="error", shape="shape"))
        assert _run_again(store, plan)


def _with_other_data(plan: Plan) -> Plan:
    nodes = {name: replace(node, key=node.key and key_of(f"other {node.key}")) for name, node in plan.nodes.items()}
    return replace(plan, nodes=nodes)


def _with_smaller_batches(plan: Plan) -> Plan:
    arms = tuple(replace(arm, resources=arm.resources.model_copy(update={"micro_batch": 2})) for arm in plan.arms)
    return replace(plan, arms=arms)


def test_a_failure_is_tried_again_once_something_that_it_came_from_is_another(store: LocalStore) -> None:
    plan = two_stage_plan()
    _fail(store, plan, "error")
    assert _run_again(store, plan)
    assert not _run_again(store, plan)
    assert _run_again(store, _with_other_data(plan))
    assert _run_again(store, _with_smaller_batches(plan))
    assert _run_again(store, plan, program="mended")
    assert not _run_again(store, plan, program="mended")
    _fail(store, plan, "error", "another message")
    assert _run_again(store, plan, program="mended")


def test_a_failure_that_is_left_alone_says_how_to_try_it_again(store: LocalStore) -> None:
    plan = two_stage_plan()
    _fail(store, plan, "error")
    remember_retries(plan, read_ledger(plan, store), store)  # of this program itself
    assert "--retry-failed" in left_alone(plan, read_ledger(plan, store), store)[TRIAL]
