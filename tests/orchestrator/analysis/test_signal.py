"""A model that does not look is known by its answers, and one that looks a little is not taken for it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from measurements.signal import BLIND, LOOKING, Setting, cell
from orchestrator.analysis.examples import Examples, Frame
from orchestrator.analysis.scores import Scores
from orchestrator.analysis.signal import CHANCE, Signal, p_not_above, signal_of, text_priors
from trainables.benchmarks.priors import BEST_CONSTANT


def _share_with_signal(setting: Setting, draws: int) -> float:
    rng = np.random.default_rng(3)
    return sum(cell(setting, rng)[0] for _ in range(draws)) / draws


@pytest.mark.parametrize(
    "name", ["82 % yes, says yes .97", "82 % yes, says yes .999", "50 % yes, says yes .5, 200 questions"]
)
def test_a_blind_model_shows_no_signal(name: str) -> None:
    assert _share_with_signal(BLIND[name], 40) <= 0.05


def test_a_model_three_points_above_the_best_constant_answer_shows_a_signal() -> None:
    assert _share_with_signal(LOOKING["82 % yes, 3 points above"], 20) == 1


def test_a_model_that_knows_the_types_of_questions_and_does_not_look_shows_no_signal() -> None:
    assert _share_with_signal(BLIND["82 and 18 % yes by type, says the usual .97"], 3) == 0


def _frame(n: int, n_images: int) -> Frame:
    ids, images = tuple(map(str, range(n))), tuple(str(i % n_images) for i in range(n))
    return Scores().add("arm", 1, "vqa", Examples(ids, images, np.zeros(n))).frame


def test_p_of_single_images_is_that_of_a_paired_t_test() -> None:
    differences = np.arange(40) - 16.25
    expected = stats.ttest_1samp(differences, 0, alternative="greater").pvalue
    assert p_not_above(differences, _frame(40, 40)) == pytest.approx(expected, rel=1e-6)


def test_scores_equal_to_a_prior_everywhere_show_nothing() -> None:
    assert p_not_above(np.full(9, 1e-13), _frame(9, 9)) == 0.5
    assert p_not_above(np.array([50.0]), _frame(3, 1)) == 1, "one image has no error"


def _signal(accuracy: float, n: int = 200) -> Signal | None:
    right = (np.arange(n) < accuracy * n).astype(float)
    priors = {BEST_CONSTANT: np.full(n, 0.5)}
    scores, ids = Scores(), tuple(map(str, range(n)))
    for seed in (1, 2):
        scores.add("arm", seed, "vqa", Examples(ids, ids, right, priors))
    return signal_of(list(scores.cells_of("arm", "vqa").values()))


def test_a_prior_known_as_a_mean_alone_is_a_level_that_the_score_must_exceed() -> None:
    above, at = _signal(0.6), _signal(0.53)
    assert above is not None
    assert at is not None
    assert (above.is_shown, at.is_shown) == (True, False)
    assert above.priors == {BEST_CONSTANT: pytest.approx(50)}
    assert above.points == pytest.approx(60)


def test_text_priors_follow_from_texts_alone_where_texts_decide_the_score() -> None:
    said, right = ["Yes.", "no", "yes", "maybe"], ["yes", "no", "no", "no"]
    priors = text_priors(said, right, np.array([1.0, 1, 0, 0]))
    assert priors[BEST_CONSTANT].tolist() == [0, 1, 1, 1]
    assert priors[CHANCE].mean() == pytest.approx((2 * 1 + 1 * 3) / 16)
    assert text_priors(said, right, np.array([1.0, 0.3, 0.3, 0.3])) == {}, "scored by another rule"
    assert text_priors(None, right, np.array([1.0, 1, 0, 0])).keys() == {BEST_CONSTANT}
    assert text_priors(None, right, np.array([1.0, 1, 0, 0.6])) == {}
