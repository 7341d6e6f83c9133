"""Work and cost of a report: what sharing saved, and which arms nothing beats."""

from __future__ import annotations

from tests.support.report_cases import finished
from trainables.storage.store import LocalStore


def test_work_shows_what_sharing_saved_by_stage(store: LocalStore) -> None:
    work = finished(store).work
    align = next(one for one in work if one.name == "align")
    assert (align.depth, align.n, align.done, len(align.arms), align.steps) == (0, 3, 3, 3, 20)
    assert (align.gpu_seconds, align.gpu_seconds_saved) == (30.0, 60.0)
    assert [one.depth for one in work if one.kind == "evaluation"] == [2, 2, 2]


def test_pareto_front_leaves_out_what_another_arm_beats(store: LocalStore) -> None:
    """All trials cost the same here, so only the best arm is left."""
    report = finished(store)
    best = max((row for row in report.rows if row.mean.estimate), key=lambda row: row.mean.estimate.value)  # type: ignore[union-attr]
    assert [cost.arm for cost in report.costs if cost.is_pareto] == [best.arm]
