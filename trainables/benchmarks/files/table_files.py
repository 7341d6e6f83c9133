"""Read the lines of a table from any file that has one: text with separators, or the first sheet of a workbook."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

from search_spaces.errors import InputError
from trainables.benchmarks.files.delimited import Delimited, Line, split_table
from trainables.benchmarks.files.plain_text import read_bytes, text_of

_WAY_OUT = "Save the sheet as CSV, or `pip install 'ablate-vlm[tables]'`."


def read_lines(path: Path) -> Delimited:
    """Read a table's header and lines; the kind of file is seen in its content.

    Raises:
        InputError: for what is neither text with separators nor a workbook, and for dates in cells.
    """
    data = read_bytes(path)
    return read_sheet(data, str(path)) if is_workbook(data) else split_table(text_of(data, str(path)), str(path))


def is_workbook(data: bytes) -> bool:
    """Tell whether the bytes of a file are those of a zip archive, as Excel's workbooks are."""
    return data.startswith(b"PK\x03\x04")


def read_sheet(data: bytes, place: str, exact: bool = False) -> Delimited:
    """Read the first sheet of a workbook that holds anything.

    Args:
        data: content of the file.
        place: the file, for errors.
        exact: whether the space around texts is kept.

    Raises:
        InputError: for what is no workbook, one without cells, dates in cells, and where openpyxl is not installed.
    """
    try:
        import openpyxl
    except ImportError as error:
        raise InputError(
            "an Excel file needs openpyxl, which is not installed", place=place, way_out=_WAY_OUT
        ) from error
    try:
        workbook = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True)
        sheets = [[tuple(row) for row in sheet.iter_rows(values_only=True)] for sheet in workbook.worksheets]
    except Exception as error:  # a damaged archive raises whatever its parts do
        raise InputError(f"must be an Excel workbook, but {_no_workbook(data, error)}", place=place) from error
    rows = next((rows for rows in sheets if any(any(cell is not None for cell in row) for row in rows)), [])
    lines = [
        Line(number, tuple(_text(cell, f"{place}:{number}", exact) for cell in row))
        for number, row in enumerate(rows, start=1)
        if any(cell is not None for cell in row)
    ]
    if not lines:
        raise InputError("a workbook must have a sheet with cells, but all are empty", place=place)
    return Delimited(",", tuple(lines))


def _no_workbook(data: bytes, error: Exception) -> str:
    """Say why an archive is no workbook: it is cut off, or holds other files, or what openpyxl says."""
    try:
        names = zipfile.ZipFile(io.BytesIO(data)).namelist()
    except (zipfile.BadZipFile, OSError):
        return "it is a ZIP archive that is cut off or broken"
    if not any(name.startswith("xl/") for name in names):
        return f"it is a ZIP archive of other files ({', '.join(names[:3]) or 'none'})"
    return str(error) or type(error).__name__


def _text(cell: Any, place: str, exact: bool) -> str:
    """Write a cell as text. Raises InputError for a date: a spreadsheet program makes dates of answers such as 3-4."""
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return str(cell)
    if isinstance(cell, int | float):
        return str(int(cell)) if float(cell).is_integer() else repr(cell)
    if isinstance(cell, str):
        return cell if exact else cell.strip()
    raise InputError(f"cells must be text or numbers, but one is {cell}", place=place, way_out="Format it as text.")
