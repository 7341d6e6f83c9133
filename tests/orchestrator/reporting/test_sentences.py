"""Tables of words and marks are complete: a new state of a cell cannot be printed as another."""

from __future__ import annotations

from typing import get_args

from orchestrator.analysis.verdict_sentences import CHECKPOINTS_DIFFER, HOLDS
from orchestrator.reporting.report_model import Absence
from orchestrator.reporting.sentences import ABSENCES, CLAIM_VERBS


def test_every_reason_for_an_absent_score_has_its_words() -> None:
    assert set(ABSENCES) == set(get_args(Absence))


def test_whatever_becomes_of_a_claim_is_counted_in_the_headline() -> None:
    assert set(CLAIM_VERBS) == {*HOLDS.values(), CHECKPOINTS_DIFFER}
