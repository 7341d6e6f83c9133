"""Axes are numeric only if all labels are numbers of one unit."""

from __future__ import annotations

from dataclasses import replace

from orchestrator.analysis.numeric_axes import numeric_axes
from tests.support.small_plans import small_plan, with_axis


def test_axes_are_numeric_only_if_all_labels_are_numbers_of_one_unit() -> None:
    plan = with_axis(with_axis(with_axis(small_plan(), "epochs", "1.25"), "lr", "2e-5"), "vision.resize", "naive")
    assert set(numeric_axes(plan)) == {"resolution", "epochs", "lr"}
    assert numeric_axes(plan)["lr"] == {"2e-5": 2e-5}


def test_a_named_arm_that_is_no_point_of_an_axis_does_not_make_it_textual() -> None:
    plan = small_plan()
    named = replace(plan.arms[1], name="tiny", values={"resolution": "tiny"}, by_axes=False)
    assert set(numeric_axes(replace(plan, arms=(*plan.arms, named)))) == {"resolution"}
