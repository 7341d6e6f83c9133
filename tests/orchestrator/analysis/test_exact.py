"""The exact test of two checkpoints is McNemar's, and flips whole images."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from orchestrator.analysis.bootstrap import ImageSums
from orchestrator.analysis.exact import exact_p, sign_flip_p
from orchestrator.analysis.examples import Examples
from orchestrator.analysis.scores import Scores


def _sums(differences: np.ndarray, per_image: int = 1) -> ImageSums:
    names = tuple(f"q{i:04d}" for i in range(len(differences)))
    images = tuple(f"i{i // per_image:04d}" for i in range(len(differences)))
    scores = Scores()
    scores.add("a", 7, "shape", Examples(names, images, np.zeros(len(differences))))
    scores.add("b", 7, "shape", Examples(names, images, differences))
    return scores.image_sums([{"a": -1.0, "b": 1.0}], "shape")


def test_exact_test_of_single_questions_is_mcnemars() -> None:
    differences = np.array([1.0] * 9 + [-1.0] * 2 + [0.0] * 30)
    expected = 2 * stats.binom.cdf(2, 9 + 2, 0.5)  # McNemar: of 11 discordant questions at most 2 on one side
    assert exact_p([_sums(differences)]) == pytest.approx(expected)


def test_sign_flips_move_whole_images() -> None:
    differences = np.repeat([1.0, 0.9, 0.8, -0.1], 25)
    independent, clustered = exact_p([_sums(differences)]), exact_p([_sums(differences, per_image=25)])
    assert independent < 0.001
    assert clustered == pytest.approx(2 * 2 / 16, abs=0.02)  # 4 of 16 sign patterns are as extreme


def test_sign_flips_of_a_few_draws_are_counted_out() -> None:
    assert sign_flip_p(np.array([1.0, 1.0, 1.0, 1.0, 1.0])) == pytest.approx(2 / 32)
    values = np.array([2.1, -0.3, 1.4, 0.9, -0.2, 1.1, 0.0])
    expected = stats.permutation_test((values,), np.mean, permutation_type="samples", n_resamples=np.inf)
    assert sign_flip_p(values) == pytest.approx(expected.pvalue)


def test_sign_flips_of_many_draws_are_sampled_and_repeatable() -> None:
    values = np.random.default_rng(1).normal(0.6, 1.0, 30)
    assert sign_flip_p(values) == sign_flip_p(values)
    assert sign_flip_p(values) == pytest.approx(stats.ttest_1samp(values, 0).pvalue, rel=0.2)
