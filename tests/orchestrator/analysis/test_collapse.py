"""A seed that scores far below its arm's others is named; a wide but even spread is none."""

from __future__ import annotations

import pytest

from orchestrator.analysis.collapse import find_collapses


def test_collapsed_seed_is_named_with_the_range_and_the_median_of_the_arm() -> None:
    (collapse,) = find_collapses("random", {7: 71.2, 8: 72.0, 9: 12.3})
    assert collapse.sentence == (
        "random collapsed with seed 9: 12.3 points where its other seeds have 71.2 to 72.0 (median 71.2)"
    )


@pytest.mark.parametrize(
    "points",
    [
        {7: 71.2, 8: 12.3},  # which of the two is the usual one?
        {7: 71.2, 8: 72.0, 9: 67.5},  # within five points
        {7: 60.0, 8: 72.0, 9: 45.0},  # the others are as far apart
        {7: 12.3, 8: 12.0, 9: 72.0},  # a seed that scores far above is no collapse
    ],
)
def test_usual_spreads_are_no_collapse(points: dict[int, float]) -> None:
    assert find_collapses("random", points) == []
