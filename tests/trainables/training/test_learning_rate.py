"""Every schedule rises to its peak and stays between 0 and 1."""

from __future__ import annotations

from typing import get_args

import pytest

from search_spaces.spec import ScheduleKind, ScheduleSpec
from trainables.training.learning_rate import factor


def _factors(steps: int = 100, **fields: object) -> list[float]:
    schedule = ScheduleSpec(**fields)  # type: ignore[arg-type]
    return [factor(schedule, step, steps) for step in range(steps)]


@pytest.mark.parametrize("kind", get_args(ScheduleKind))
def test_every_schedule_rises_linearly_to_its_peak_and_stays_between_0_and_1(kind: str) -> None:
    factors = _factors(kind=kind, warmup_steps=10)
    assert factors[:10] == pytest.approx([(i + 1) / 10 for i in range(10)])
    assert max(factors) == 1
    assert min(factors) > 0


def test_no_two_kinds_have_one_curve() -> None:
    curves = {kind: tuple(_factors(kind=kind)) for kind in get_args(ScheduleKind)}
    assert len(set(curves.values())) == len(curves)


def test_cosine_is_half_way_down_in_the_middle_and_almost_zero_at_the_end() -> None:
    factors = _factors(kind="cosine")
    assert factors[50] == pytest.approx(0.5)
    assert factors[99] < 0.001


def test_wsd_keeps_its_peak_until_the_last_share_of_the_steps() -> None:
    factors = _factors(kind="wsd", decay_ratio=0.2)
    assert factors[:80] == [1.0] * 80
    assert factors[80:] == pytest.approx([(100 - step) / 20 for step in range(80, 100)])


def test_a_trunk_of_wsd_does_not_depend_on_the_horizon() -> None:
    short, long = _factors(100, kind="wsd", warmup_steps=10), _factors(200, kind="wsd", warmup_steps=10)
    assert short[:80] == long[:80]


def test_warm_up_longer_than_the_stage_still_reaches_the_peak() -> None:
    assert _factors(4, kind="constant", warmup_steps=50)[-1] == 1.0
