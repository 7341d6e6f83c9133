"""A slim subset is the same every time, has its size, and keeps proportions."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search_spaces.catalogue.load import shipped
from trainables.benchmarks.registry import BENCHMARKS
from trainables.benchmarks.slim import detectable_difference, power_statement, slim_positions

GROUPS = [{"split": "a" if n % 4 else "b"} for n in range(1000)]


def test_a_slim_subset_is_the_same_every_time_and_keeps_proportions() -> None:
    chosen = slim_positions("pope", GROUPS, ("split",), 100)
    assert chosen == slim_positions("pope", GROUPS, ("split",), 100) == sorted(set(chosen))
    assert Counter(GROUPS[at]["split"] for at in chosen) == {"a": 75, "b": 25}
    assert chosen[:5] == [8, 17, 28, 33, 34]  # a change here changes every slim score


def test_a_larger_subset_holds_the_smaller_one_where_shares_are_whole() -> None:
    assert set(slim_positions("pope", GROUPS, ("split",), 100)) <= set(slim_positions("pope", GROUPS, ("split",), 200))


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=60), st.integers(1, 70))
def test_a_slim_subset_has_its_size(kinds: list[str], size: int) -> None:
    groups = [{"split": kind} for kind in kinds]
    assert len(set(slim_positions("x", groups, ("split",), size))) == min(size, len(kinds))


def test_the_power_statement_of_the_docs() -> None:
    assert detectable_difference(2048) == pytest.approx(2.77, abs=0.005)
    assert "2.8 points" in power_statement(5000, 2048)


def test_the_slim_suite_is_the_suite_with_samples_of_what_is_larger() -> None:
    whole, slim = shipped().suites["prismatic-12"], shipped().suites["prismatic-12-slim"]
    assert [choice.id for choice in slim] == [choice.id for choice in whole]
    for choice in slim:
        assert choice.sample is None or choice.sample < BENCHMARKS[choice.id].totals.examples[0]
