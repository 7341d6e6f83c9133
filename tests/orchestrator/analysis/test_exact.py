"""The exact test of two checkpoints is McNemar's, and flips whole images."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from orchestrator.analysis.bootstrap import ImageSums
from orchestrator.analysis.exact import exact_p
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
