"""Tables of words and marks are complete: a new state of a cell cannot be printed as another."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

from orchestrator.analysis.verdict_sentences import CHECKPOINTS_DIFFER, HOLDS
from orchestrator.reporting.report_model import Absence
from orchestrator.reporting.sentences import ABSENCES, CLAIM_VERBS, comparisons_text
from tests.support.report_cases import finished
from trainables.storage.store import LocalStore


def test_every_reason_for_an_absent_score_has_its_words() -> None:
    assert set(ABSENCES) == set(get_args(Absence))


def test_whatever_becomes_of_a_claim_is_counted_in_the_headline() -> None:
    assert set(CLAIM_VERBS) == {*HOLDS.values(), CHECKPOINTS_DIFFER}


def test_one_comparison_is_not_called_all(store: LocalStore) -> None:
    report = finished(store)
    assert comparisons_text(report) == f"all {report.n_comparisons} comparisons of this report"
    assert comparisons_text(replace(report, n_comparisons=1)) == "the one comparison of this report"
