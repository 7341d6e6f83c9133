"""Workbooks are read as text with separators is, and dates in them are refused."""

from __future__ import annotations

import datetime
import gzip
from pathlib import Path

import openpyxl
import pytest

from search_spaces.errors import InputError
from trainables.benchmarks.files.table_files import read_lines


def workbook(path: Path, *rows: list[object]) -> Path:
    book = openpyxl.Workbook()
    for row in rows:
        book.worksheets[0].append(row)
    book.save(path)
    return path


def test_cells_of_a_workbook_are_those_of_a_text_file(tmp_path: Path) -> None:
    book = workbook(tmp_path / "t.xlsx", ["model", "gqa"], ["a", 62.5], [None, None], ["b", 63])
    (tmp_path / "t.csv").write_bytes(gzip.compress(b"model,gqa\r\na,62.5\r\n\r\nb,63\r\n"))
    lines = [[(line.number, line.cells) for line in read_lines(path).lines] for path in (book, tmp_path / "t.csv")]
    assert lines[0] == lines[1] == [(1, ("model", "gqa")), (2, ("a", "62.5")), (4, ("b", "63"))]


@pytest.mark.parametrize("damage", [lambda data: data[:200], lambda data: data[:-40]])
def test_damaged_workbook_is_refused(tmp_path: Path, damage: object) -> None:
    path = workbook(tmp_path / "t.xlsx", ["model", "gqa"], ["a", 62.5])
    path.write_bytes(damage(path.read_bytes()))  # type: ignore[operator]
    with pytest.raises(InputError, match=r"t\.xlsx: must be an Excel workbook"):
        read_lines(path)


def test_dates_that_a_spreadsheet_program_made_are_refused_with_their_line(tmp_path: Path) -> None:
    path = workbook(tmp_path / "t.xlsx", ["index", "prediction"], ["1", datetime.datetime(2026, 4, 3)])
    with pytest.raises(InputError, match=r"t\.xlsx:2: cells must be text or numbers, but one is 2026-04-03"):
        read_lines(path)
