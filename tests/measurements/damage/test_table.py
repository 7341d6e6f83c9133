"""A cell of the page of damaged files has one word where it can; a fault of a case is shown and counted."""

from __future__ import annotations

from pathlib import Path

import pytest

from measurements.damage.__main__ import PAGE
from measurements.damage.kinds import DAMAGES, KINDS
from measurements.damage.outcomes import FAULTS
from measurements.damage.storages import COLUMNS
from measurements.damage.table import Case, append_case, page, read_cases


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


def test_cases_are_read_as_they_were_kept(tmp_path: Path) -> None:
    cases = [Case("spool", way, "run, half done", "redone") for way in DAMAGES]
    assert list(read_cases(tmp_path / "cases")) == []
    for case in cases:
        append_case(tmp_path / "cases", case)
    assert list(read_cases(tmp_path / "cases")) == cases


def test_the_page_has_every_kind_and_command_and_no_fault() -> None:
    text = PAGE.read_text()
    head = next(line for line in text.splitlines() if line.startswith("| file |"))
    assert head.strip("| ").split(" | ")[1:] == list(COLUMNS)
    assert [row[0] for row in rows(text)] == list(KINDS)
    assert "; 0 faults." in text
    assert [fault for fault in FAULTS if fault in text] == []
