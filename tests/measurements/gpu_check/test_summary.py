"""The summary of the check says where what was measured contradicts the plan."""

from __future__ import annotations

from typing import Any

from measurements.gpu_check.part import Line
from measurements.gpu_check.summary import compare, table


def stage(**changes: Any) -> dict[str, Any]:
    figures = {
        "step_s": 2.0,
        "losses": [5.0, 4.0],
        "positions_computed": 1000,
        "attention": "sdpa",
        "has_rows_of_several": False,
        "computed_mfu": 0.4,
        "planned_mfu": 0.4,
        "peak_bytes": 30_000_000_000,
        "planned_peak_bytes": 40_000_000_000,
        "resident_bytes": 20_000_000_000,
        "planned_resident_bytes": 21_000_000_000,
    }
    return {**figures, **changes}


def judged(*lines: Line) -> dict[str, bool | None]:
    return {comparison.figure: comparison.holds for comparison in compare(lines, "cuda")}


def test_a_layout_is_compared_with_the_first_one() -> None:
    lines = [
        Line("layout 16x1", 1.0, None, stage()),
        Line("layout 4x4", 1.0, None, stage(losses=[5.0, 4.2], computed_mfu=0.2)),
    ]
    holds = judged(*lines)
    assert holds["layout 4x4: losses"] is False
    assert holds["layout 4x4: MFU, padding included"] is False
    assert holds["layout 16x1: losses"] is True
    assert holds["layout 16x1: peak, GB"] is True


def test_rows_of_several_records_are_judged_with_flash_attention_alone() -> None:
    slow = stage(has_rows_of_several=True, computed_mfu=0.2)
    fast = {**slow, "attention": "flash_attention_2"}
    holds = judged(Line("layout rows", 1.0, None, slow), Line("layout fast rows", 1.0, None, fast))
    assert holds["layout rows: MFU, padding included"] is None
    assert holds["layout fast rows: MFU, padding included"] is False


def test_more_memory_than_planned_and_what_is_left_are_said() -> None:
    align = {"peak_bytes": 41_000_000_000, "planned_peak_bytes": 40_000_000_000, "left_bytes": 23_000_000_000}
    assert judged(Line("align", 1.0, None, align)) == {"align: peak, GB": False, "align: left afterwards, GB": False}


def test_a_loss_that_is_no_number_contradicts() -> None:
    nan = float("nan")
    lines = [Line("zero 0", 1.0, None, stage()), Line("zero 1", 1.0, None, stage(losses=[nan, nan]))]
    assert judged(*lines)["zero 1: losses"] is False


def test_what_a_part_that_failed_would_have_shown_is_left_out() -> None:
    assert compare([Line("checkpoint", 1.0, "OutOfMemoryError", {})], "cuda") == []


def test_the_table_marks_contradictions() -> None:
    ray = Line("ray", 1.0, None, {"trials_done": 2, "groups_reused": 0})
    assert [line.split()[0] for line in table(compare([ray], "cuda")).splitlines()] == ["yes", "NO"]
