"""Intervals of means and contrasts cover the truth as often as they say."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from orchestrator.analysis.examples import Examples
from orchestrator.analysis.scores import Scores
from search_spaces.errors import InputError
from tests.support.simulated_scores import (
    examples_of,
    scores_of,
    shifted_scores,
    simulated_scores,
)


def _coverage(n_seeds: int, per_image: int, repeats: int, seed: int = 3) -> tuple[float, float]:
    """Share of simulated studies in which the interval holds the truth: of a contrast, and of an arm's mean."""
    rng = np.random.default_rng(seed)
    contrast, mean = 0, 0
    for _ in range(repeats):
        scores = simulated_scores(rng, 8, n_seeds, per_image=per_image)
        interval = scores.contrast("arm0", "arm1", ["shape"]).estimate.interval
        contrast += interval.low <= 0 <= interval.high
        interval = scores.mean("arm0", ["shape"]).interval
        mean += interval.low <= 50 <= interval.high
    return contrast / repeats, mean / repeats


@pytest.mark.slow
@pytest.mark.parametrize("per_image", [1, 6])
@pytest.mark.parametrize("n_seeds", [2, 3, 5])
def test_interval_in_many_simulated_studies_covers_the_truth_as_often_as_it_says(n_seeds: int, per_image: int) -> None:
    contrast, mean = _coverage(n_seeds, per_image, repeats=4000)
    assert 0.94 <= contrast <= 0.98
    assert 0.94 <= mean <= 0.99


@pytest.mark.parametrize("per_image", [1, 6])
@pytest.mark.parametrize("n_seeds", [2, 3, 5])
def test_interval_in_some_simulated_studies_covers_the_truth_about_as_often_as_it_says(
    n_seeds: int, per_image: int
) -> None:
    contrast, mean = _coverage(n_seeds, per_image, repeats=250)
    assert 0.91 <= contrast <= 0.995
    assert 0.91 <= mean <= 1.0


def test_contrast_with_five_seeds_and_equal_images_is_the_paired_t_interval() -> None:
    differences = [1.0, 2.5, 0.5, 3.0, 2.0]
    scores = shifted_scores({"base": [0.0] * 5, "other": differences})
    estimate = scores.contrast("base", "other", ["shape"]).estimate
    expected = stats.ttest_1samp(differences, 0)
    assert estimate.value == pytest.approx(1.8)
    assert estimate.interval.seeds == "own"
    assert (estimate.interval.low, estimate.interval.high) == pytest.approx(tuple(expected.confidence_interval()))
    assert estimate.interval.p == pytest.approx(expected.pvalue)
    assert estimate.beside is not None
    assert estimate.beside.seeds == "pooled"


def test_contrast_with_three_seeds_is_the_paired_t_interval_whatever_the_other_arms_do() -> None:
    shifts = {"base": [0.0, 1.0, 3.0], "a": [2.0, 2.5, 6.0], "b": [5.0, 70.0, 7.5], "c": [1.0, 1.5, 40.5]}
    estimate = shifted_scores(shifts).contrast("base", "a", ["shape"]).estimate
    expected = stats.ttest_1samp([2.0, 1.5, 3.0], 0).confidence_interval(1 - 0.05 * 0.98)  # a fiftieth is the bound's
    assert (estimate.interval.seeds, estimate.interval.df) == ("own", pytest.approx(2))
    assert (estimate.interval.low, estimate.interval.high) == pytest.approx(tuple(expected))
    assert estimate.by_seed == pytest.approx((2.0, 1.5, 3.0))


def test_contrast_with_two_seeds_is_bounded_by_three_times_the_spread_of_the_study() -> None:
    shifts = {"base": [0.0, 1.0], "a": [20.0, 24.0], "b": [5.0, 7.0], "c": [1.0, 1.5], "d": [3.0, 3.5], "e": [3.0, 5.0]}
    estimate = shifted_scores(shifts).contrast("base", "a", ["shape"]).estimate
    own = stats.ttest_1samp([20.0, 23.0], 0).confidence_interval(1 - 0.05 * 0.75)
    assert estimate.beside is not None
    bound = 3 * estimate.beside.error * stats.t.ppf(1 - 0.05 * 0.25 / 2, 5)
    assert bound < (own.high - own.low) / 2
    assert estimate.interval.half_width == pytest.approx(bound, rel=1e-6)


def test_bound_of_an_arm_without_a_signal_is_on_its_own_scale() -> None:
    """It is no part of the pool, but its score at 50 % is as uncertain over seeds as any there."""
    halves = {}
    for silent in (False, True):
        scores = Scores()
        for number, arm in enumerate(("base", "a", "b", "c", "d", "guess")):
            for seed in (7, 8):
                answers = (np.random.default_rng([number, seed]).random(400) < 0.5).astype(float)
                has_signal = not (silent and arm == "guess")
                scores.add(arm, seed, "shape", examples_of(answers), has_signal=has_signal)
        halves[silent] = scores.contrast("base", "guess", ["shape"]).estimate.interval.spreads[1].error
    assert halves[True] == pytest.approx(halves[False], rel=0.5)


def test_mean_of_an_arm_stays_within_the_scale() -> None:
    scores = scores_of({("base", seed): np.r_[np.ones(199), seed == 7] for seed in (7, 8)})
    interval = scores.mean("base", ["shape"]).interval
    assert 0 < interval.low < 99.7 < interval.high <= 100
    perfect = scores_of({("base", seed): np.ones(200) for seed in (7, 8)}).mean("base", ["shape"]).interval
    assert 90 < perfect.low < 100
    assert perfect.high == 100


def test_difference_that_few_questions_could_show_is_not_called_none() -> None:
    """Both arms right on all of 40 questions: a difference of 5 points would be seen in 87 of 100 such studies only."""
    scores = scores_of({(arm, seed): np.ones(40) for arm in ("base", "a") for seed in (7, 8, 9)})
    interval = scores.contrast("base", "a", ["shape"]).estimate.interval
    assert interval.p_above(-5.0) > 0.05
    assert interval.p_above(-10.0) < 0.05
    assert interval.high > 3


@pytest.mark.parametrize("seeds", [(7,), (7, 8, 9)])
def test_difference_that_is_the_same_on_every_question_is_not_certain(seeds: tuple[int, ...]) -> None:
    """As if it might be 0 on the next two of 40 questions: 100 x .1 x sqrt(2) / 40 points."""
    base = np.linspace(0.1, 0.8, 40)
    scores = scores_of({(arm, seed): base + 0.1 * (arm == "a") for arm in ("base", "a") for seed in seeds})
    interval = scores.contrast("base", "a", ["shape"]).estimate.interval
    assert interval.error == pytest.approx(0.354, abs=0.001)
    assert 0 < interval.p < 1e-9


def test_contrast_image_part_is_that_of_the_crossed_analysis_of_variance() -> None:
    rng = np.random.default_rng(5)
    n_seeds, n_images = 3, 30
    difference = rng.normal(0, 0.1, n_images) + rng.normal(0, 0.05, (n_seeds, n_images))
    base = np.full(n_images, 0.5)
    table = {("base", s): base for s in range(n_seeds)} | {("a", s): base + difference[s] for s in range(n_seeds)}
    interval = scores_of(table).contrast("base", "a", ["shape"]).estimate.interval
    points = 100 * difference
    images = points.mean(0)
    left = points - points.mean(1, keepdims=True) - images + points.mean()
    ms_images = n_seeds * ((images - images.mean()) ** 2).sum() / (n_images - 1)
    ms_left = (left**2).sum() / ((n_images - 1) * (n_seeds - 1))
    assert interval.image_part == pytest.approx((ms_images - ms_left) / (n_seeds * n_images))


def test_mean_of_seeds_that_score_alike_by_chance_is_not_certain() -> None:
    rng = np.random.default_rng(9)
    right = np.repeat([1.0, 0.0], 100)
    table = {(arm, seed): rng.permutation(right) for arm in ("base", "a") for seed in (7, 8)}
    interval = scores_of(table).mean("base", ["shape"]).interval
    assert interval.high - interval.low > 5


def test_contrast_with_one_seed_is_one_of_checkpoints_and_clusters_by_image() -> None:
    rng = np.random.default_rng(2)
    per_image = np.repeat(rng.normal(0, 0.2, 50), 4)  # questions about one image go right or wrong together
    base = np.full(200, 0.5)
    table = {("base", 7): base, ("a", 7): base + per_image}
    clustered = scores_of(table, per_image=4).contrast("base", "a", ["shape"]).estimate
    independent = scores_of(table).contrast("base", "a", ["shape"]).estimate
    assert (clustered.scope, clustered.interval.seeds, clustered.beside) == ("checkpoints", "none", None)
    assert (clustered.n_examples, clustered.n_images) == (200, 50)
    error = 100 * per_image[::4].std(ddof=1) / np.sqrt(50)
    assert clustered.interval.image_part == pytest.approx(error**2)
    assert clustered.interval.image_part > 3.5 * independent.interval.image_part


def test_mean_of_benchmarks_that_share_images_gains_nothing_from_repeating_them() -> None:
    rng = np.random.default_rng(4)
    base, other = rng.uniform(0, 1, 100), rng.uniform(0, 1, 100)
    joint, apart = Scores(), Scores()
    for benchmark in ("one", "two"):
        for arm, values in (("base", base), ("a", other)):
            joint.add(arm, 7, benchmark, examples_of(values, 2), images="photos")
            apart.add(arm, 7, benchmark, examples_of(values, 2))
    alone = joint.contrast("base", "a", ["one"]).estimate.interval
    both = joint.contrast("base", "a", ["one", "two"]).estimate.interval
    assert (both.low, both.high) == pytest.approx((alone.low, alone.high))
    assert apart.contrast("base", "a", ["one", "two"]).estimate.interval.image_part == pytest.approx(
        alone.image_part / 2
    )


@pytest.mark.parametrize("images", ["photos", None])
def test_small_benchmark_that_makes_the_noise_has_its_own_few_images(images: str | None) -> None:
    """Whether its eight images are among those of the large one or not."""
    rng = np.random.default_rng(6)
    sizes = np.array([20, 3, 2, 2, 2, 2, 2, 2])
    clusters = tuple(f"i{number:04d}" for number in np.repeat(np.arange(8), sizes))
    small = Examples(tuple(f"s{number}" for number in range(35)), clusters, rng.integers(0, 2, 35).astype(float))
    scores = Scores()
    for arm in ("base", "a"):
        scores.add(arm, 7, "large", examples_of(rng.integers(0, 2, 3000).astype(float), 5), images=images)
        answers = rng.integers(0, 2, 35).astype(float)
        scores.add(arm, 7, "small", Examples(small.ids, small.clusters, answers), images=images)
    df = scores.contrast("base", "a", ["large", "small"]).estimate.interval.df
    assert df is not None
    assert 1 <= df < 8


def test_difference_is_never_beyond_the_scale() -> None:
    right, wrong = np.array([1.0, 1.0, 1.0, 0.0]), np.array([0.0, 0.0, 1.0, 0.0])
    scores = scores_of({("base", 7): wrong, ("a", 7): right, ("base", 8): right, ("a", 8): wrong})
    interval = scores.contrast("base", "a", ["shape"]).estimate.interval
    assert (interval.low, interval.high) == (-100, 100)


def test_contrast_pairs_by_id_whatever_the_order_of_the_rows() -> None:
    values = np.random.default_rng(1).uniform(0, 1, 60)
    ordered = examples_of(values, 3)
    order = np.random.default_rng(2).permutation(60)
    shuffled = Examples(
        tuple(ordered.ids[i] for i in order), tuple(ordered.clusters[i] for i in order), ordered.scores[order]
    )
    scores = Scores()
    scores.add("base", 7, "shape", ordered)
    scores.add("a", 7, "shape", shuffled)
    interval = scores.contrast("base", "a", ["shape"]).estimate.interval
    assert (interval.value, interval.error, interval.p) == (0.0, pytest.approx(0.0, abs=3), 1.0)


def test_contrast_uses_only_common_seeds() -> None:
    scores = shifted_scores({"base": [0.0, 1.0, 2.0], "a": [5.0, 6.5]})
    estimate = scores.contrast("base", "a", ["shape"]).estimate
    assert estimate.seeds == (0, 1)
    assert estimate.value == pytest.approx(5.25)


def test_contrast_of_arms_scored_on_other_examples_is_refused_naming_them() -> None:
    scores = Scores()
    scores.add("base", 7, "shape", Examples(("q1", "q2", "q3"), ("a", "b", "c"), np.array([1.0, 0, 1])))
    scores.add("naive", 7, "shape", Examples(("q1", "q2", "q9"), ("a", "b", "c"), np.array([1.0, 0, 1])))
    with pytest.raises(InputError, match=r"(?s)shape.*base \(seed 7\).*naive \(seed 7\).*q3.*q9"):
        scores.contrast("base", "naive", ["shape"])


def test_contrast_of_arms_whose_images_differ_is_refused_naming_the_examples() -> None:
    scores = Scores()
    scores.add("base", 7, "shape", Examples(("q1", "q2"), ("a", "b"), np.array([1.0, 0])))
    scores.add("naive", 7, "shape", Examples(("q1", "q2"), ("a", "c"), np.array([1.0, 0])))
    with pytest.raises(InputError, match="images of q2 differ"):
        scores.contrast("base", "naive", ["shape"])


def test_contrast_without_a_common_seed_is_refused() -> None:
    scores = scores_of({("base", 7): np.ones(4), ("a", 8): np.ones(4)})
    with pytest.raises(InputError, match="base and a share none"):
        scores.contrast("base", "a", ["shape"])


def test_scores_with_an_id_twice_are_refused_naming_it() -> None:
    with pytest.raises(InputError, match="q2 come more than once"):
        Scores().add("base", 7, "shape", Examples(("q1", "q2", "q2"), ("a", "b", "c"), np.ones(3)))


def test_pool_leaves_arms_without_a_signal_out() -> None:
    noisy = {"base": [0.0, 2.0], "a": [5.0, 3.0]}
    silent = {f"silent{i}": [1.0, 1.0] for i in range(6)}
    with_silent, common = Scores(), np.random.default_rng(0).uniform(0.2, 0.8, 40)
    for arm, values in (noisy | silent).items():
        for seed, shift in enumerate(values):
            with_silent.add(arm, seed, "shape", examples_of(common + shift / 100), has_signal=arm in noisy)
    interval = with_silent.contrast("base", "a", ["shape"]).estimate.interval
    expected = shifted_scores(noisy).contrast("base", "a", ["shape"]).estimate.interval
    assert (interval.seed_part, interval.df) == pytest.approx((expected.seed_part, expected.df))


def test_mean_of_one_arm_covers_seeds_in_its_interval() -> None:
    scores = shifted_scores({"base": [0.0, 30.0], "a": [1.0, 31.0], "b": [3.0, 33.0]})  # all arms move with the seed
    mean = scores.mean("base", ["shape"]).interval
    contrast = scores.contrast("base", "a", ["shape"]).estimate.interval
    assert mean.seed_part == pytest.approx(225)
    assert mean.df is not None
    assert mean.df < 1.2  # three arms, but only two seeds
    assert contrast.seed_part == pytest.approx(0, abs=1e-12)
