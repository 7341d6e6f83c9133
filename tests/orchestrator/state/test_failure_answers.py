"""Claims about orchestrator/state/failure_answers.py."""

from __future__ import annotations

from typing import get_args

from orchestrator.state.failure_answers import ANSWERS
from search_spaces.outcomes import FailureKind


def test_every_kind_of_failure_has_an_answer() -> None:
    assert set(ANSWERS) == set(get_args(FailureKind))


def test_what_is_tried_again_within_a_run_as_it_is_a_later_run_tries_again_too() -> None:
    assert all(
        answers.may_have_gone for answers in ANSWERS.values() if answers.in_run in ("again", "uncounted", "storage")
    )
