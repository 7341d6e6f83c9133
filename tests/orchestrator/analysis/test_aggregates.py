"""Z-scores against a frozen pool, and groups."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from orchestrator.analysis.aggregates import against_pool, aggregated, freeze_pool, reference_pool
from orchestrator.analysis.score_table import read_table
from search_spaces.claims import find_file
from search_spaces.errors import InputError

SCORES = {"a": {"x": 10.0, "y": 1.0}, "b": {"x": 20.0, "y": 2.0}, "c": {"x": 30.0, "y": 6.0}}


def test_z_is_against_the_pool_with_ddof_1_and_raw_points_stand_beside_it() -> None:
    pool = freeze_pool("three", ("a", "b", "c"), ("x", "y"), SCORES)
    best = against_pool(SCORES, pool, {"both": ("x", "y")})[0]
    assert pool.sd == pytest.approx((10.0, np.std([1, 2, 6], ddof=1)))
    assert best.model == "c"
    assert best.z == pytest.approx((1 + 3 / np.std([1, 2, 6], ddof=1)) / 2)
    assert (best.points, best.groups) == (18.0, {"both": 18.0})


def test_another_model_does_not_move_the_z_of_those_that_are_there() -> None:
    pool = freeze_pool("three", ("a", "b", "c"), ("x", "y"), SCORES)
    more = {**SCORES, "d": {"x": 90.0, "y": 50.0}}
    before, after = ({one.model: one.z for one in against_pool(s, pool, {})} for s in (SCORES, more))
    assert before == {model: z for model, z in after.items() if model != "d"}


def test_jackknife_is_zero_for_nothing_and_grows_where_a_member_is_alone() -> None:
    pool = freeze_pool("three", ("a", "b", "c"), ("x", "y"), SCORES)
    even = {m: {"x": v, "y": v} for m, v in zip("abcdef", (1.0, 2, 3, 4, 5, 6), strict=True)}
    errors = {one.model: one.z_error for one in against_pool(SCORES, pool, {})}
    calm = {one.model: one.z_error for one in against_pool(even, freeze_pool("six", list(even), ("x", "y"), even), {})}
    assert errors["c"] > max(calm.values()) > 0


def test_published_ranking_is_that_of_the_table() -> None:
    table = read_table(find_file("prismatic/published", ".csv", "scores"))
    benchmarks = [name for name in table.benchmarks if name != "textvqa-ocr"]
    own = {model: row for model, row in table.scores.items() if "+" in model}
    found = aggregated(own, reference_pool("published", benchmarks, own), {}).models
    n = len(own)  # the figures to meet are of the population's standard deviation
    z = {one.model: one.z * np.sqrt(n / (n - 1)) for one in found}
    assert z["prism-dinosiglip+13b"] == pytest.approx(1.47, abs=0.005)
    assert z["one-stage+7b"] == pytest.approx(-0.16, abs=0.005)
    assert z["dinov2-224px+7b"] == pytest.approx(-2.69, abs=0.005)


@pytest.mark.parametrize(
    ("members", "scores", "message"),
    [
        (("a", "b"), SCORES, "at least three members"),
        (("a", "b", "d"), SCORES, "there is none of d on x, d on y"),
        (("a", "b", "c"), {m: {"x": 1.0, "y": v["y"]} for m, v in SCORES.items()}, "score alike on x"),
    ],
)
def test_pool_that_cannot_serve_is_refused(members: tuple[str, ...], scores: dict, message: str) -> None:  # type: ignore[type-arg]
    with pytest.raises(InputError, match=message):
        freeze_pool("p", members, ("x", "y"), scores)


def test_error_of_a_z_score_is_not_defined_where_the_rest_of_a_pool_is_alike() -> None:
    """Without c, all models score alike: a mean over no benchmark is no number, and no warning is printed."""
    tied = {"a": {"x": 10.1, "y": 1.0}, "b": {"x": 10.1, "y": 1.0}, "c": {"x": 30.0, "y": 1.0}}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        compared = aggregated(tied, reference_pool("tied", ("x", "y"), tied), {})
    assert [(model.model, model.z_error) for model in compared.models] == [("c", None), ("a", None), ("b", None)]


def test_scores_that_differ_by_rounding_alone_are_alike() -> None:
    third = 100 / 3  # the standard deviation of equal scores may be the rounding of their mean, 7e-15
    tied = {name: {"x": third, "y": float(place)} for place, name in enumerate("abcdef")} | {"g": {"x": 40.0, "y": 6.0}}
    compared = aggregated(tied, reference_pool("tied", ("x", "y"), tied), {})
    assert all(abs(model.z) < 4 and (model.z_error or 0.0) < 10 for model in compared.models)
