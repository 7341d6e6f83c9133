"""Counts, sizes and times are written for people."""

from __future__ import annotations

import pytest

from search_spaces.quantities import Device, clock_time, device_time, duration, gigabytes, number_of


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


@pytest.mark.parametrize(
    ("seconds", "device", "written"),
    [
        (49, "GPU", "49 GPU-seconds"),
        (11_520, "GPU", "3.2 GPU-hours"),
        (49, "core", "49 core-seconds"),
        (780, "core", "13 core-minutes"),
        (7200, "worker", "2 worker-hours"),
    ],
)
def test_the_time_of_devices_is_in_hours_of_gpus_and_minutes_of_cores(
    seconds: float, device: Device, written: str
) -> None:
    assert device_time(seconds, device) == written
