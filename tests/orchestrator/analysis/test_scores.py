"""What the intervals, contrasts and judgements promise."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy import stats

from orchestrator.analysis.examples import Examples, is_no_signal, read_examples
from orchestrator.analysis.exploratory import judge
from orchestrator.analysis.scores import Scores
from search_spaces.errors import InputError
from tests.support.small_records import evaluation_result

Scored = dict[tuple[str, int], np.ndarray]


@cache
def _names(n: int, per_image: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return tuple(f"q{i:05d}" for i in range(n)), tuple(f"i{i // per_image:05d}" for i in range(n))


def _examples(scores: np.ndarray, per_image: int = 1) -> Examples:
    return Examples(*_names(len(scores), per_image), np.asarray(scores, dtype=float))


def _scores(table: Scored, benchmark: str = "shape", per_image: int = 1) -> Scores:
    scores = Scores()
    for (arm, seed), values in table.items():
        scores.add(arm, seed, benchmark, _examples(values, per_image))
    return scores


def _simulated(
    rng: np.random.Generator, n_arms: int, n_seeds: int, *, per_image: int, n_images: int = 100, effect: float = 0.0
) -> Scores:
    """Arms that differ in nothing but, for the first alternative, `effect` points: seed sd 1 point within an arm beside
    a seed effect that all share, an image error of about 0.7 points in a contrast, noise per example."""
    seed_effect = rng.normal(0, 1, n_seeds)
    image_effect = rng.normal(0, 10, n_images)
    table: Scored = {}
    for arm in range(n_arms):
        arm_image = rng.normal(0, 5, n_images)
        for seed in range(n_seeds):
            image = 50 + seed_effect[seed] + rng.normal(0, 1) + image_effect + arm_image + rng.normal(0, 3, n_images)
            points = np.repeat(image, per_image) + rng.normal(0, 5, n_images * per_image) + (effect if arm == 1 else 0)
            table[f"arm{arm}", seed] = points / 100
    return _scores(table, per_image=per_image)


def _coverage(n_seeds: int, per_image: int, repeats: int, seed: int = 3) -> tuple[float, float]:
    """Share of simulated studies in which the interval holds the truth: of a contrast, and of an arm's mean."""
    rng = np.random.default_rng(seed)
    contrast, mean = 0, 0
    for _ in range(repeats):
        scores = _simulated(rng, 8, n_seeds, per_image=per_image)
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
    assert 0.94 <= contrast <= 0.97
    assert 0.93 <= mean <= 0.97


@pytest.mark.parametrize("per_image", [1, 6])
@pytest.mark.parametrize("n_seeds", [2, 3, 5])
def test_interval_in_some_simulated_studies_covers_the_truth_about_as_often_as_it_says(
    n_seeds: int, per_image: int
) -> None:
    contrast, mean = _coverage(n_seeds, per_image, repeats=250)
    assert 0.91 <= contrast <= 0.99
    assert 0.90 <= mean <= 0.99


def _shifted(shifts: dict[str, list[float]], n: int = 40) -> Scores:
    """Arms that lie `shifts` points (one per seed) above one common set of scores, on every example alike."""
    common = np.random.default_rng(0).uniform(0.2, 0.8, n)
    table = {(arm, seed): common + shift / 100 for arm, values in shifts.items() for seed, shift in enumerate(values)}
    return _scores(table)


def test_contrast_with_five_seeds_and_equal_images_is_the_paired_t_interval() -> None:
    differences = [1.0, 2.5, 0.5, 3.0, 2.0]
    scores = _shifted({"base": [0.0] * 5, "other": differences})
    estimate = scores.contrast("base", "other", ["shape"]).estimate
    expected = stats.ttest_1samp(differences, 0)
    assert estimate.value == pytest.approx(1.8)
    assert estimate.interval.seeds == "own"
    assert (estimate.interval.low, estimate.interval.high) == pytest.approx(tuple(expected.confidence_interval()))
    assert estimate.interval.p == pytest.approx(expected.pvalue)
    assert estimate.beside is not None
    assert estimate.beside.seeds == "pooled"


def test_contrast_with_three_seeds_pools_the_residual_of_the_block_design() -> None:
    shifts = {"base": [0.0, 1.0, 3.0], "a": [2.0, 2.5, 6.0], "b": [5.0, 7.0, 7.5], "c": [1.0, 1.5, 4.5]}
    table = np.array(list(shifts.values()))
    residual = table - table.mean(0) - table.mean(1, keepdims=True) + table.mean()
    mean_square = (residual**2).sum() / (3 * 2)
    interval = _shifted(shifts).contrast("base", "a", ["shape"]).estimate.interval
    assert interval.seeds == "pooled"
    assert interval.seed_part == pytest.approx(2 * mean_square / 3)
    assert interval.df == pytest.approx(6)
    half = stats.t.ppf(0.975, 6) * np.sqrt(2 * mean_square / 3)
    assert (interval.low, interval.high) == pytest.approx(((3.5 - 4 / 3) - half, (3.5 - 4 / 3) + half))


def test_contrast_pools_over_arms_that_lack_a_seed_too() -> None:
    shifts = {"base": [0.0, 1.0, 3.0], "a": [2.0, 2.5, 6.0], "b": [5.0, 7.0]}
    interval = _shifted(shifts).contrast("base", "a", ["shape"]).estimate.interval
    assert interval.df == pytest.approx(8 - 3 - 2)


def test_contrast_image_part_is_that_of_the_crossed_analysis_of_variance() -> None:
    rng = np.random.default_rng(5)
    n_seeds, n_images = 3, 30
    difference = rng.normal(0, 0.1, n_images) + rng.normal(0, 0.05, (n_seeds, n_images))
    base = np.full(n_images, 0.5)
    table = {("base", s): base for s in range(n_seeds)} | {("a", s): base + difference[s] for s in range(n_seeds)}
    interval = _scores(table).contrast("base", "a", ["shape"]).estimate.interval
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
    interval = _scores(table).mean("base", ["shape"]).interval
    assert interval.high - interval.low > 5


def test_contrast_with_one_seed_is_one_of_checkpoints_and_clusters_by_image() -> None:
    rng = np.random.default_rng(2)
    per_image = np.repeat(rng.normal(0, 0.2, 50), 4)  # questions about one image go right or wrong together
    base = np.full(200, 0.5)
    table = {("base", 7): base, ("a", 7): base + per_image}
    clustered = _scores(table, per_image=4).contrast("base", "a", ["shape"]).estimate
    independent = _scores(table).contrast("base", "a", ["shape"]).estimate
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
            joint.add(arm, 7, benchmark, _examples(values, 2), images="photos")
            apart.add(arm, 7, benchmark, _examples(values, 2))
    alone = joint.contrast("base", "a", ["one"]).estimate.interval
    both = joint.contrast("base", "a", ["one", "two"]).estimate.interval
    assert (both.low, both.high) == pytest.approx((alone.low, alone.high))
    assert apart.contrast("base", "a", ["one", "two"]).estimate.interval.image_part == pytest.approx(
        alone.image_part / 2
    )


def test_contrast_pairs_by_id_whatever_the_order_of_the_rows() -> None:
    values = np.random.default_rng(1).uniform(0, 1, 60)
    ordered = _examples(values, 3)
    order = np.random.default_rng(2).permutation(60)
    shuffled = Examples(
        tuple(ordered.ids[i] for i in order), tuple(ordered.clusters[i] for i in order), ordered.scores[order]
    )
    scores = Scores()
    scores.add("base", 7, "shape", ordered)
    scores.add("a", 7, "shape", shuffled)
    interval = scores.contrast("base", "a", ["shape"]).estimate.interval
    assert (interval.low, interval.high, interval.p) == (0.0, 0.0, 1.0)


def test_contrast_uses_only_common_seeds() -> None:
    scores = _shifted({"base": [0.0, 1.0, 2.0], "a": [5.0, 6.5]})
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
    scores = _scores({("base", 7): np.ones(4), ("a", 8): np.ones(4)})
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
            with_silent.add(arm, seed, "shape", _examples(common + shift / 100), has_signal=arm in noisy)
    interval = with_silent.contrast("base", "a", ["shape"]).estimate.interval
    expected = _shifted(noisy).contrast("base", "a", ["shape"]).estimate.interval
    assert (interval.seed_part, interval.df) == pytest.approx((expected.seed_part, expected.df))


def test_judge_with_two_seeds_calls_a_large_effect_clear_although_its_own_interval_is_wide() -> None:
    rng = np.random.default_rng(0)
    shifts = {f"arm{i}": list(rng.normal(0, 1, 2)) for i in range(10)} | {"base": [0.0, 0.3], "large": [10.0, 12.5]}
    contrast = _shifted(shifts).contrast("base", "large", ["shape"])
    assert contrast.estimate.beside is not None
    assert not contrast.estimate.beside.excludes_zero
    assert judge([contrast])[0].is_clear


def test_judge_with_two_seeds_does_not_trust_the_pool_where_the_arm_visibly_varies_more() -> None:
    rng = np.random.default_rng(0)
    shifts = {f"arm{i}": list(rng.normal(0, 1, 2)) for i in range(10)} | {"base": [0.0, 0.3], "wild": [0.5, 14.0]}
    contrast = _shifted(shifts).contrast("base", "wild", ["shape"])
    judgement = judge([contrast])[0]
    assert contrast.estimate.interval.excludes_zero
    assert not judgement.is_clear
    assert judgement.reason is not None
    assert "own seeds" in judgement.reason


def test_judge_with_five_seeds_is_not_clear_where_the_pooled_spread_says_otherwise() -> None:
    rng = np.random.default_rng(0)
    shifts = {f"arm{i}": list(rng.normal(0, 8, 5)) for i in range(6)}
    shifts |= {"base": [0.0, 0.1, 0.2, 0.1, 0.0], "calm": [1.0, 1.2, 1.1, 1.0, 1.1]}
    contrast = _shifted(shifts).contrast("base", "calm", ["shape"])
    assert contrast.estimate.interval.excludes_zero
    assert not judge([contrast])[0].is_clear


def test_judge_corrects_for_the_number_of_comparisons() -> None:
    rng = np.random.default_rng(8)
    scores = _simulated(rng, 30, 3, per_image=1, effect=0.0)
    contrasts = [scores.contrast("arm0", f"arm{i}", ["shape"]) for i in range(1, 30)]
    weak = [c for c in contrasts if c.estimate.interval.excludes_zero]
    judgements = judge(contrasts)
    assert all(j.p_adjusted >= j.contrast.estimate.interval.p for j in judgements)
    assert sum(j.is_clear for j in judgements) < max(len(weak), 1)


def test_mean_of_one_arm_covers_seeds_in_its_interval() -> None:
    scores = _shifted({"base": [0.0, 30.0], "a": [1.0, 31.0], "b": [3.0, 33.0]})  # all arms move with the seed
    mean = scores.mean("base", ["shape"]).interval
    contrast = scores.contrast("base", "a", ["shape"]).estimate.interval
    assert mean.seed_part == pytest.approx(225)
    assert mean.df is not None
    assert mean.df < 1.2  # three arms, but only two seeds
    assert contrast.seed_part == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(
    ("constant", "mean", "expected"), [(True, 70.0, True), (False, 67.84, True), (False, 68.0, False)]
)
def test_is_no_signal_for_one_answer_or_the_majority_score(constant: bool, mean: float, expected: bool) -> None:
    assert is_no_signal(evaluation_result("k", majority=67.8, constant=constant), mean) is expected


def test_read_examples_of_a_file_with_an_impossible_score_names_the_example(tmp_path: Path) -> None:
    file = tmp_path / "x.parquet"
    pq.write_table(pa.table({"id": ["a", "b"], "cluster": ["i", "i"], "score": [0.5, 1.5]}), file)
    with pytest.raises(InputError, match=r"x\.parquet.*those of b"):
        read_examples(file)


@pytest.mark.parametrize("content", [b"", b"no parquet", None])
def test_read_examples_of_a_missing_or_corrupt_file_names_the_file(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "x.parquet"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(InputError, match=r"x\.parquet"):
        read_examples(file)
