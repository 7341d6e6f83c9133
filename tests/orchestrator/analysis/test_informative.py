"""Questions that tell arms apart are chosen with one half of the arms, and their gain is that of the other half."""

from __future__ import annotations

import numpy as np
import pytest

from measurements.questions import Setting, draw
from orchestrator.analysis.informative import Informative, choose_informative, information_of
from orchestrator.analysis.item_analysis import Responses
from tests.support.responses import responses_of


def chosen_of(responses: Responses) -> Informative:
    chosen = choose_informative(responses)
    assert isinstance(chosen, Informative)
    return chosen


def test_arms_that_choose_do_not_check() -> None:
    chosen = chosen_of(draw(Setting(n_arms=11), 0)[0])
    assert len(chosen.ids) == 500
    assert not set(chosen.chosen_with) & set(chosen.checked_with)
    assert len(chosen.chosen_with) + len(chosen.checked_with) == 11


def test_where_questions_differ_in_what_they_tell_a_chosen_one_is_worth_more() -> None:
    check = chosen_of(draw(Setting(n_arms=40, n_seeds=1, n_questions=4000), 0)[0]).check
    assert check.worth > 1.5
    assert check.error < 0.85
    assert check.tau > check.tau_at_random


def test_where_questions_are_alike_no_gain_is_reported() -> None:
    levels = np.linspace(0.4, 0.7, 40)
    scores = np.random.default_rng(5).random((40, 3000)) < levels[:, None]
    check = chosen_of(responses_of(scores)).check
    assert 0.9 < check.worth < 1.1


def test_what_a_question_tells_is_summed_over_all_pairs_of_arms() -> None:
    scores = np.random.default_rng(3).random((6, 50)).astype(np.float32) + np.arange(6)[:, None] / 10
    pairs = [scores[i].astype(float) - scores[j] for i in range(6) for j in range(i)]
    variances = sum(pair.var(ddof=1) for pair in pairs)
    squares = sum(pair.mean() ** 2 - pair.var(ddof=1) / 50 for pair in pairs)
    assert information_of(scores) == pytest.approx(squares / variances, rel=1e-5)


def test_few_arms_choose_nothing_and_the_reason_is_said() -> None:
    reason = choose_informative(responses_of(np.random.default_rng(0).random((5, 100))))
    assert reason == "it takes 6 arms, three to choose with and three to check with"
