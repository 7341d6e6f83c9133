"""Outcomes are read back as they were written; a drill that was killed in mid-line goes on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from measurements.drill.outcome import Outcome, append_outcome, line_of, read_outcomes

OUTCOME = Outcome("worker", 1, 7, "kill", "1w-zero0", "1w-zero0", "spool", "write", "", True, [1, 0], lost_steps=[2])


def test_a_line_that_was_cut_is_left_out_and_the_next_is_read(tmp_path: Path) -> None:
    file = tmp_path / "outcomes.jsonl"
    assert list(read_outcomes(file)) == []
    append_outcome(file, OUTCOME)
    with file.open("a") as cut:
        cut.write('{"level": "wor')
    assert list(read_outcomes(file)) == [OUTCOME]
    append_outcome(file, replace(OUTCOME, number=8))
    assert [outcome.number for outcome in read_outcomes(file)] == [7, 8]


def test_a_line_says_what_differs() -> None:
    assert line_of(OUTCOME).endswith("[1, 0], 0.0 s: equal")
    different = replace(OUTCOME, differences=["weights", "scores"])
    assert line_of(different).endswith("2 DIFFERENCES: weights")
