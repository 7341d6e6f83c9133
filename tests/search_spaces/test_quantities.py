"""Counts, sizes and times are written for people."""

from __future__ import annotations

import pytest

from search_spaces.quantities import clock_time, duration, gigabytes, number_of


@pytest.mark.parametrize(
    ("seconds", "written"),
    [(4.2, "4 s"), (89, "89 s"), (90, "2 min"), (3 * 3600 + 290, "3 h 05 min"), (52 * 3600, "2 d 4 h")],
)
def test_duration_has_the_fitting_unit(seconds: float, written: str) -> None:
    assert duration(seconds) == written


@pytest.mark.parametrize(("seconds", "written"), [(12.34, "12.3 s"), (60, "0:01:00"), (3725.4, "1:02:05")])
def test_clock_time_goes_from_seconds_to_hours(seconds: float, written: str) -> None:
    assert clock_time(seconds) == written


@pytest.mark.parametrize(("count", "written"), [(0, "0 seeds"), (1, "1 seed"), (1200, "1,200 seeds")])
def test_noun_of_a_count_is_singular_for_one_only(count: int, written: str) -> None:
    assert number_of(count, "seed") == written


def test_gigabytes_are_of_a_thousand_million_bytes() -> None:
    assert gigabytes(1_234_560_000_000) == "1,234.6"
