"""Columns that are computed from others are found, and columns of their own are not."""

from __future__ import annotations

import statistics
from collections.abc import Callable

import numpy as np
import pytest

from orchestrator.analysis.score_means import Column, derived_columns, is_called_mean
from orchestrator.analysis.score_table import read_table
from search_spaces.claims import find_file


def columns(numbers: dict[str, list[float]], decimals: int = 1) -> list[Column]:
    return [
        Column(name, {f"m{i}": round(value, decimals) for i, value in enumerate(values)}, decimals)
        for name, values in numbers.items()
    ]


def drawn(n: int, models: int, seed: int) -> dict[str, list[float]]:
    rng = np.random.default_rng(seed)
    return {f"b{i}": list(rng.uniform(20, 90) + rng.normal(0, 3, models)) for i in range(n)}


def test_mean_and_sum_are_found_under_any_name() -> None:
    for kind, combine in (("mean", np.mean), ("sum", np.sum)):
        numbers = drawn(6, 4, 1)
        for parts in (list(numbers), ["b0", "b1", "b2"], ["b0", "b2", "b5"]):
            table = {**numbers, "x": [float(combine([numbers[p][m] for p in parts])) for m in range(4)]}
            found = derived_columns(columns(table))
            assert {name: (d.kind, d.parts) for name, d in found.items()} == {"x": (kind, tuple(parts))}


@pytest.mark.parametrize(
    ("kind", "combine"),
    [("geometric mean", statistics.geometric_mean), ("harmonic mean", statistics.harmonic_mean)],
)
def test_another_mean_of_all_columns_is_found_under_any_name(
    kind: str, combine: Callable[[list[float]], float]
) -> None:
    numbers = drawn(5, 4, 1)
    table = {**numbers, "x": [float(combine([values[m] for values in numbers.values()])) for m in range(4)]}
    found = derived_columns(columns(table))
    assert {name: (d.kind, d.parts) for name, d in found.items()} == {"x": (kind, tuple(numbers))}


def test_the_mean_of_columns_that_are_called_after_it_is_found_in_two_lines() -> None:
    parts = {"pope-random": [88.1, 89.3], "pope-popular": [86.1, 87.1], "pope-adversarial": [84.1, 85.2]}
    table = {"gqa": [62.3, 63.9], "pope": [86.1, 87.2], **parts, "pope2": [86.1, 80.0]}
    found = derived_columns(columns(table))
    assert {name: d.sentence for name, d in found.items()} == {"pope": f"is the mean of {', '.join(parts)}"}


def test_same_column_again_is_found() -> None:
    numbers = drawn(3, 3, 2)
    found = derived_columns(columns({**numbers, "again": numbers["b1"]}))
    assert found["again"].sentence == "holds the same numbers as b1"


def test_column_that_is_called_a_mean_is_left_out_whatever_it_holds() -> None:
    found = derived_columns(columns({**drawn(3, 3, 3), "Avg.": [1.0, 2.0, 3.0]}))
    assert found["Avg."].sentence == "is called a mean, a median or a sum of others"
    assert derived_columns(columns({**drawn(3, 3, 3), "Avg.": [1.0, 2.0, 3.0]}), frozenset({"Avg."})) == {}


@pytest.mark.parametrize(
    "name", ["avg", "Average", "Avg.", "Overall", "mean acc", "VQA avg", "avg_loc", "Total", "Mean (12)"]
)
def test_names_of_means(name: str) -> None:
    assert is_called_mean(name)


@pytest.mark.parametrize("name", ["mean IoU", "mAP", "vqav2", "summarisation", "totally", "Mean AP", "meaning"])
def test_names_that_are_no_means(name: str) -> None:
    assert not is_called_mean(name)


def test_independent_columns_are_hardly_ever_taken_for_means() -> None:
    wrong = sum(
        bool(derived_columns(columns(drawn(n, models, 100 * n + models)))) for n in (3, 6, 10) for models in range(2, 8)
    )
    assert wrong <= 1


def test_published_table_has_columns_of_their_own() -> None:
    table = read_table(find_file("prismatic/published", ".csv", "scores"))
    assert (table.derived, table.refused, table.costs, table.notes) == ({}, {}, (), ())
