"""No cell of a CSV is a formula to a spreadsheet, and numbers stay numbers."""

from __future__ import annotations

import csv
import io

import pytest

from orchestrator.reporting.csv_text import csv_text


def written(value: str) -> str:
    (row,) = csv.DictReader(io.StringIO(csv_text(["cell"], [{"cell": value}])))
    return row["cell"]


@pytest.mark.parametrize(
    "text",
    ["=1+1", "+A1", "-A1", "@SUM(A1)", "\t=1", "\n=1", " =1", "=cmd|' /C calc'!A0", "-1+1", "+1-A1", "\uff1d1"],
)
def test_text_that_would_be_computed_is_marked_as_text(text: str) -> None:
    assert written(text) == f"'{text}"


@pytest.mark.parametrize("text", ["-1.5", "+3", "-1e-05", "-.5", "1", "", "base", "lr=3e-4", "a | b", "'", "nan"])
def test_numbers_and_other_text_stay(text: str) -> None:
    assert written(text) == text


def test_line_ends_of_text_are_kept_inside_of_their_cell() -> None:
    assert written("a\r\nb\rc") == "a\nb\nc"
    assert written("\r=1") == "'\n=1"


def test_a_header_is_no_formula_either() -> None:
    assert csv_text(["=1"], []) == "'=1\n"
