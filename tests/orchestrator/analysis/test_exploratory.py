"""A table of many contrasts calls clear what survives the correction."""

from __future__ import annotations

import numpy as np

from orchestrator.analysis.exploratory import judge
from orchestrator.analysis.intervals import t_interval
from tests.support.simulated_scores import shifted_scores, simulated_scores


def test_judge_with_two_seeds_calls_a_large_effect_clear_although_its_own_seeds_know_little() -> None:
    rng = np.random.default_rng(0)
    shifts = {f"arm{i}": list(rng.normal(0, 1, 2)) for i in range(10)} | {"base": [0.0, 0.3], "large": [10.0, 12.5]}
    contrast = shifted_scores(shifts).contrast("base", "large", ["shape"])
    assert t_interval(contrast.estimate.value, contrast.estimate.interval.error, 1).p > 0.05
    assert judge([contrast])[0].is_clear


def test_judge_with_two_seeds_does_not_trust_the_pool_where_an_arm_varies_more() -> None:
    rng = np.random.default_rng(0)
    shifts = {f"arm{i}": list(rng.normal(0, 1, 2)) for i in range(10)} | {"base": [0.0, 0.3], "wild": [0.5, 9.0]}
    contrast = shifted_scores(shifts).contrast("base", "wild", ["shape"])
    assert contrast.estimate.beside is not None
    assert contrast.estimate.beside.excludes_zero
    assert not judge([contrast])[0].is_clear


def test_judge_with_five_seeds_asks_the_seeds_of_the_pair_alone() -> None:
    rng = np.random.default_rng(0)
    shifts = {f"arm{i}": list(rng.normal(0, 8, 5)) for i in range(6)}
    shifts |= {"base": [0.0, 0.1, 0.2, 0.1, 0.0], "calm": [1.0, 1.2, 1.1, 1.0, 1.1]}
    contrast = shifted_scores(shifts).contrast("base", "calm", ["shape"])
    assert contrast.estimate.beside is not None
    assert not contrast.estimate.beside.excludes_zero
    assert judge([contrast])[0].is_clear


def test_judge_corrects_for_the_number_of_comparisons() -> None:
    rng = np.random.default_rng(8)
    scores = simulated_scores(rng, 30, 3, per_image=1, effect=0.0)
    contrasts = [scores.contrast("arm0", f"arm{i}", ["shape"]) for i in range(1, 30)]
    weak = [c for c in contrasts if c.estimate.interval.excludes_zero]
    judgements = judge(contrasts)
    assert all(j.p_adjusted >= j.contrast.estimate.interval.p for j in judgements)
    assert sum(j.is_clear for j in judgements) < max(len(weak), 1)
