"""Claims about orchestrator/running/retry_policy.py."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.running.retry_policy import (
    AFTER_S,
    AfterStorage,
    Again,
    Budgets,
    GivenUp,
    RetryPolicy,
)
from search_spaces.outcomes import FailureKind

NOTHING = (0, 0)


def test_failed_lost_is_tried_again_ever_later_until_its_budget_is_spent() -> None:
    policy = RetryPolicy(Budgets(lost=3))
    follows = [policy.failed("a", "lost", NOTHING, None) for _ in range(4)]
    assert follows == [Again(AFTER_S[0], 1, 3), Again(AFTER_S[1], 2, 3), Again(AFTER_S[2], 3, 3), GivenUp(3)]


def test_failed_progress_gives_the_whole_budget_back_and_starts_at_once() -> None:
    policy = RetryPolicy(Budgets(lost=1))
    assert policy.failed("a", "lost", (0, 500), None) == Again(0.0, 1, 1)
    assert policy.failed("a", "lost", (0, 1000), None) == Again(0.0, 1, 1)
    assert policy.failed("a", "lost", (1, 0), None) == Again(0.0, 1, 1)
    assert policy.failed("a", "lost", (1, 0), None) == GivenUp(1)


def test_failed_budgets_of_trials_are_their_own() -> None:
    policy = RetryPolicy(Budgets(lost=1))
    assert isinstance(policy.failed("a", "lost", NOTHING, None), Again)
    assert isinstance(policy.failed("b", "lost", NOTHING, None), Again)


def test_failed_hung_is_tried_once_more_and_beside_the_budget_of_losses() -> None:
    policy = RetryPolicy()
    assert policy.failed("a", "lost", NOTHING, None) == Again(0.0, 1, 3)
    assert policy.failed("a", "hung", NOTHING, None) == Again(0.0, 1, 1)
    assert policy.failed("a", "hung", NOTHING, None) == GivenUp(1)


def test_failed_out_of_memory_is_tried_again_only_with_a_smaller_micro_batch() -> None:
    policy = RetryPolicy()
    for number in range(1, 20):
        assert policy.failed("a", "memory", NOTHING, None, has_smaller=True) == Again(0.0, number, number)
    assert policy.failed("a", "memory", NOTHING, None, has_smaller=False) == GivenUp()


@pytest.mark.parametrize("kind", ["error", "killed"])
def test_failed_errors_and_signals_are_not_tried_again(kind: FailureKind) -> None:
    assert RetryPolicy().failed("a", kind, NOTHING, "node") == GivenUp()


@pytest.mark.parametrize("kind", [kind for kind in get_args(FailureKind) if kind != "killed"])
def test_failed_by_a_storage_that_is_in_trouble_never_counts(kind: FailureKind) -> None:
    policy = RetryPolicy(Budgets(lost=0, hung=0, storage=0))
    for _ in range(10):
        assert policy.failed("a", kind, NOTHING, "node", is_storage_in_trouble=True) == AfterStorage()
    assert policy.bad_nodes == ()


def test_failed_by_a_preemption_is_tried_again_however_often_and_blames_no_node() -> None:
    policy = RetryPolicy(Budgets(lost=0))
    for step in range(20):
        assert policy.failed("a", "preempted", (0, step), "spot") == Again(0.0, 0, 0, preemptions=1)
    assert policy.failed("a", "lost", NOTHING, "spot") == GivenUp(0)


def test_failed_by_preemptions_without_progress_is_tried_again_ever_later() -> None:
    policy = RetryPolicy()
    follows = [policy.failed("a", "preempted", NOTHING, "spot") for _ in range(6)]
    assert follows == [Again(s, 0, 0, preemptions=i) for i, s in enumerate((*AFTER_S, AFTER_S[-1], AFTER_S[-1]), 1)]
    assert policy.failed("a", "preempted", (0, 1), "spot") == Again(0.0, 0, 0, preemptions=1)


def test_failed_full_where_storage_is_well_is_tried_within_its_budget() -> None:
    policy = RetryPolicy(Budgets(storage=1))
    assert policy.failed("a", "full", NOTHING, None) == Again(0.0, 1, 1)
    assert policy.failed("a", "full", NOTHING, None) == GivenUp(1)


def test_failed_twice_on_one_node_what_is_tried_again_goes_elsewhere_until_a_trial_is_done_there() -> None:
    policy = RetryPolicy()
    assert policy.failed("a", "lost", NOTHING, "bad") == Again(0.0, 1, 3)
    assert policy.failed("b", "hung", NOTHING, "bad") == Again(0.0, 1, 1, avoided=("bad",))
    assert policy.failed("c", "lost", NOTHING, "good") == Again(0.0, 1, 3, avoided=("bad",))
    policy.done("bad")
    assert policy.failed("d", "lost", NOTHING, "good") == Again(0.0, 1, 3, avoided=("good",))


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["a", "b"]), st.sampled_from(get_args(FailureKind)), st.integers(0, 3), st.integers(0, 2)
        ),
        max_size=60,
    )
)
def test_failed_a_trial_that_makes_no_progress_is_given_up_after_its_budgets(
    failures: list[tuple[str, FailureKind, int, int]],
) -> None:
    budgets = Budgets(lost=2, hung=1, damaged=2, storage=1)
    most = {"lost": 2, "hung": 1, "damaged": 2, "full": 1}
    policy = RetryPolicy(budgets)
    in_a_row: dict[tuple[str, FailureKind], int] = {}
    furthest: dict[str, tuple[int, int]] = {}
    for trial, kind, done, steps in failures:
        saved = (done, steps)
        if saved > furthest.get(trial, (-1, -1)):
            furthest[trial] = saved
            in_a_row = {key: count for key, count in in_a_row.items() if key[0] != trial}
        in_a_row[trial, kind] = in_a_row.get((trial, kind), 0) + 1
        follows = policy.failed(trial, kind, saved, None)
        assert isinstance(follows, Again) == (kind == "preempted" or in_a_row[trial, kind] <= most.get(kind, 0))
