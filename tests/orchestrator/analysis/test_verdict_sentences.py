"""Tables of words are complete: a new outcome or expectation cannot be printed as another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_args

import pytest

from orchestrator.analysis.blind_effects import SOURCE_TITLES
from orchestrator.analysis.blind_model import GainSource
from orchestrator.analysis.score_table import DIFFERENCES
from orchestrator.analysis.verdict_model import Outcome, Unit
from orchestrator.analysis.verdict_sentences import OUTCOME_CLAIMS, OUTCOME_TITLES, TEST_NAMES
from search_spaces.study import Expectation


@pytest.mark.parametrize(
    ("table", "kind"),
    [
        (OUTCOME_TITLES, Outcome),
        (OUTCOME_CLAIMS, Outcome),
        (TEST_NAMES, Expectation),
        (DIFFERENCES, Unit),
        (SOURCE_TITLES, GainSource),
    ],
)
def test_table_has_every_member_of_its_kind(table: Mapping[str, object], kind: object) -> None:
    assert set(table) == set(get_args(kind))
