"""Axes are numeric only if all labels are numbers of one unit."""

from __future__ import annotations

from orchestrator.analysis.numeric_axes import numeric_axes
from tests.support.small_plans import small_plan, with_axis


def test_axes_are_numeric_only_if_all_labels_are_numbers_of_one_unit() -> None:
    plan = with_axis(with_axis(with_axis(small_plan(), "epochs", "1.25"), "lr", "2e-5"), "vision.resize", "naive")
    assert set(numeric_axes(plan)) == {"resolution", "epochs", "lr"}
    assert numeric_axes(plan)["lr"] == {"2e-5": 2e-5}
