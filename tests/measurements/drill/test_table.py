"""The table counts what came to its place, apart from what did not, and what is as undisturbed."""

from __future__ import annotations

from dataclasses import replace

from measurements.drill.outcome import Outcome
from measurements.drill.table import table

KILL = Outcome("worker", 1, 1, "kill", "1w-zero0", "1w-zero0", "spool", "write", "", True, [1, 0], lost_steps=[2])


def test_cases_are_counted_by_file_kind_and_shape() -> None:
    outcomes = [
        KILL,
        replace(KILL, number=2, differences=["weights"], lost_steps=[]),
        replace(KILL, number=3, kind="power cut", detail="torn", second="2w-zero2", rounding=2e-7, lost_steps=[5, 1]),
        replace(KILL, number=4, is_hit=False),
        replace(KILL, level="run", kind="raylet KILL"),
    ]
    text = table(outcomes)
    assert "In worker processes: 3 cases (1 more never came to their operation), 2 as undisturbed, 1 with" in text
    assert "| spool | 3 | 2 |" in text
    assert "| kill | 2 | 1 |" in text
    assert "| power cut, torn | 1 | 1 |" in text
    assert "| 1w-zero0, then another | 1 | 1 |" in text
    assert "of 2 cases with the same shape and a checkpoint every 2 steps: 1 x 0, 1 x 2." in text
    assert "1 cases; at most 5 steps done again, weights and last losses at most 2.0e-07 apart" in text
    assert "| raylet KILL | 1 | 1 |" in text
