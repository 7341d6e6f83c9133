"""A cell of the page of damaged files has one word where it can; a fault of a case is shown and counted."""

from __future__ import annotations

import pytest

from measurements.damage.kinds import DAMAGES
from measurements.damage.outcomes import FAULTS
from measurements.damage.table import Case, page


def rows(text: str) -> list[list[str]]:
    """Read the cells of the table of a page, the head left out."""
    lines = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    return lines[1:]


def test_a_cell_has_one_word_where_all_ways_come_to_the_same() -> None:
    cases = [Case("spool", way, "status", "unaffected") for way in DAMAGES]
    assert rows(page(cases)) == [["spool", "-"]]
    assert rows(page([*cases[:-1], Case("spool", "half", "status", "redone")])) == [["spool", "-, -, -, -, redone"]]


@pytest.mark.parametrize("outcome", FAULTS)
def test_a_fault_is_shown_and_counted(outcome: str) -> None:
    text = page([Case("spool", "half", "status", outcome)])  # type: ignore[arg-type]  # a literal
    assert rows(text) == [["spool", f"**{outcome}**"]]
    assert "1 faults." in text
