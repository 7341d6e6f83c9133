"""Soft accuracy over several references is that of the authors' loop."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainables.benchmarks.scorers.soft_accuracy import exact_mean, soft_accuracy


@pytest.mark.parametrize(("matches", "score"), [(0, 0), (1, 0.3), (2, 0.6), (3, 0.9), (4, 1), (9, 1), (10, 1)])
def test_soft_accuracy_over_ten_references(matches: int, score: float) -> None:
    references = ["red"] * matches + ["blue"] * (10 - matches)
    assert soft_accuracy("red", references) == pytest.approx(score)
    assert soft_accuracy("red", references, exact_mean) == pytest.approx(score)


def test_soft_accuracy_of_other_numbers_of_references() -> None:
    assert soft_accuracy("red", []) == 0
    assert soft_accuracy("red", ["red"]) == 0
    assert soft_accuracy("red", ["red"] * 3) == pytest.approx(2 / 3)


def test_equal_references_do_not_drop_one_another() -> None:
    assert soft_accuracy("yes", ["yes"] * 10) == 1
    assert soft_accuracy("yes", ["yes"] * 5 + ["no"] * 5) == 1


@given(st.lists(st.booleans(), min_size=1, max_size=12))
def test_soft_accuracy_equals_the_loop_of_the_authors(matches: list[bool]) -> None:
    references = ["yes" if match else "no" for match in matches]
    accuracies = []
    for left_out in range(len(references)):
        others = [reference for at, reference in enumerate(references) if at != left_out]
        accuracies.append(min(1, float(len([r for r in others if r == "yes"])) / 3))
    assert soft_accuracy("yes", references) == float(sum(accuracies)) / len(accuracies)
