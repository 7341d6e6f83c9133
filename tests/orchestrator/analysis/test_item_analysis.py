"""Questions are judged by how they go with all others, over arms; labels are doubted where good arms say otherwise."""

from __future__ import annotations

import numpy as np
import pytest

from measurements.questions import Setting, draw
from orchestrator.analysis.item_analysis import analyse_items, discrimination, good_arms, suspects
from search_spaces.errors import InputError
from tests.support.responses import responses_of


def test_discrimination_is_the_correlation_with_the_rest() -> None:
    scores = (np.random.default_rng(0).random((12, 30)) < np.linspace(0.3, 0.9, 12)[:, None]).astype(np.float32)
    scores[:, 4] = np.random.default_rng(1).random(12).round(1)
    rest = scores.sum(axis=1, keepdims=True) - scores
    expected = [np.corrcoef(scores[:, q], rest[:, q])[0, 1] for q in range(30)]
    assert discrimination(scores) == pytest.approx(expected, abs=1e-5)


def test_questions_that_no_arm_or_every_arm_answers_are_counted_and_have_no_discrimination() -> None:
    scores = np.tile(np.eye(6), (1, 3))
    scores[:, 0], scores[:, 1], scores[:, 2] = 0.0, 1.0, 0.3
    analysis = analyse_items(responses_of(scores))
    assert analysis.kinds_Q[:3] == ("nobody", "everybody", "everybody")
    assert np.isnan(analysis.discrimination_Q[:3]).all()
    assert (analysis.count("nobody"), analysis.count("everybody")) == (1, 2)


def test_question_that_only_good_arms_answer_tells_and_one_that_only_poor_arms_answer_is_reversed() -> None:
    levels = np.linspace(0.2, 0.9, 12)
    scores = (np.random.default_rng(2).random((12, 400)) < levels[:, None]).astype(float)
    scores[:, 0], scores[:, 1] = np.arange(12) >= 6, np.arange(12) < 6
    analysis = analyse_items(responses_of(scores))
    assert (analysis.kinds_Q[0], analysis.kinds_Q[1]) == ("telling", "reversed")


def test_planted_wrong_labels_stand_first_among_those_to_look_at() -> None:
    responses, answers_TQ, is_wrong_Q = draw(Setting(), 3)
    good = good_arms(responses)
    found = suspects(responses, good, answers_TQ[[responses.arms.index(arm) for arm in good]])
    assert is_wrong_Q[found[:20]].mean() >= 0.9
    assert is_wrong_Q[found].sum() >= 0.5 * is_wrong_Q.sum()


def test_arms_that_are_poor_throughout_are_no_witnesses_against_a_label() -> None:
    scores = (np.random.default_rng(2).random((8, 100)) < np.linspace(0.1, 0.4, 8)[:, None]).astype(float)
    responses = responses_of(scores)
    good = good_arms(responses)
    answers = np.zeros((len(good), 100), dtype=np.int64)
    assert suspects(responses, good, answers) == []


def test_arms_that_get_little_more_than_a_constant_answer_are_no_witnesses_either() -> None:
    scores = (np.random.default_rng(2).random((8, 100)) < np.linspace(0.5, 0.65, 8)[:, None]).astype(float)
    responses = responses_of(scores)
    good = good_arms(responses)
    answers = (1 - scores[: len(good)]).astype(np.int64)
    assert suspects(responses, good, answers, prior=0.5) == []


def test_two_arms_judge_no_question() -> None:
    with pytest.raises(InputError, match="three arms and four trials at least, but there are 2 and 4"):
        analyse_items(responses_of(np.random.default_rng(0).random((4, 9)), n_seeds=2))
