"""What arms answered is read from storage, put side by side, and chosen by how it differs."""

from __future__ import annotations

import numpy as np
import pytest

from orchestrator.analysis.stored_answers import AnswerFilter, StoredAnswers, Which, answers_by_arm, stored_answers
from orchestrator.state.ledger import read_ledger
from search_spaces.plan import Plan
from tests.support.stored_studies import finish_trial, replace_examples, two_stage_plan
from trainables.storage.store import LocalStore

BASE, SMALL = [1.0, 1.0, 0.0, 1.0], [1.0, 0.0, 0.0, 1.0]
"""Scores of two arms with the first seed; with the second the small one misses the last question, too."""


@pytest.fixture
def plan(store: LocalStore) -> Plan:
    """A study of two arms and two seeds on four questions of one benchmark, finished."""
    plan = two_stage_plan((64, 32), (7, 8), ("shape",))
    for trial in plan.trials:
        scores = list(BASE if trial.arm == "base" else SMALL)
        if trial.arm != "base" and trial.seed == 8:
            scores[3] = 0.0
        finish_trial(store, plan, trial, {"shape": np.array(scores)})
    return plan


def read(plan: Plan, store: LocalStore, which: Which = "all", **narrowed: tuple[str, ...]) -> list[StoredAnswers]:
    return list(stored_answers(plan, store, read_ledger(plan, store), AnswerFilter(which, **narrowed)))


@pytest.mark.parametrize(
    ("which", "chosen"),
    [
        ("all", ("q0000", "q0001", "q0002", "q0003")),
        ("wrong", ("q0002",)),
        ("differ", ("q0001", "q0003")),
    ],
)
def test_questions_are_chosen_by_what_arms_scored(
    plan: Plan, store: LocalStore, which: Which, chosen: tuple[str, ...]
) -> None:
    (answers,) = read(plan, store, which)
    assert (answers.benchmark, answers.of, answers.ids) == ("shape", 4, chosen)


def test_texts_are_kept_of_the_first_chosen_questions_alone(plan: Plan, store: LocalStore) -> None:
    (answers,) = stored_answers(plan, store, read_ledger(plan, store), AnswerFilter("differ"), limit=1)
    assert (answers.ids, answers.chosen, answers.of) == (("q0001",), 2, 4)
    assert len(answers.answers_to("q0001")) == 4
    with pytest.raises(KeyError):
        answers.answers_to("q0003")


def test_answers_in_another_order_are_put_to_their_questions(plan: Plan, store: LocalStore) -> None:
    evaluation = read_ledger(plan, store).evaluations[plan.trials[-1].id, "shape"]
    replace_examples(store, store.root / evaluation.examples, lambda table: table.take([3, 0, 2, 1]))
    (answers,) = read(plan, store, "differ")
    assert answers.ids == ("q0001", "q0003")
    assert [answer.text for answer in answers.answers_to("q0003")] == ["yes", "yes", "yes", "no"]


def test_answers_of_all_seeds_are_counted_by_arm(plan: Plan, store: LocalStore) -> None:
    (answers,) = read(plan, store)
    base, small = answers_by_arm(answers.answers_to("q0003")).values()
    assert base == {("yes", 1.0): 2}
    assert small == {("yes", 1.0): 1, ("no", 0.0): 1}
    assert answers.images["q0003"] == "image0"


def test_arms_and_benchmarks_narrow_what_is_read(plan: Plan, store: LocalStore) -> None:
    (answers,) = read(plan, store, "wrong", arms=("base",))
    assert answers.trials == (("base", 7), ("base", 8))
    assert read(plan, store, benchmarks=("colour",)) == []


def test_a_trial_that_answered_other_questions_is_left_out_and_named(plan: Plan, store: LocalStore) -> None:
    finish_trial(store, plan, plan.trials[-1], {"shape": np.ones(4)}, first_id=2)
    (answers,) = read(plan, store)
    assert len(answers.trials) == 3
    (line,) = answers.left_out
    assert line == f"{plan.trials[-1].arm} (seed 8): it was asked other questions"


def test_damaged_answers_are_left_out_and_named(plan: Plan, store: LocalStore) -> None:
    evaluation = read_ledger(plan, store).evaluations[plan.trials[0].id, "shape"]
    store.put(evaluation.examples, b"no table")
    ledger = read_ledger(plan, store)
    answers = list(stored_answers(plan, store, ledger, AnswerFilter()))
    assert [len(each.trials) for each in answers] == [3]
    assert plan.trials[0].arm == "base"
    assert all(line.startswith("base (seed 7): ") for each in answers for line in each.left_out)
