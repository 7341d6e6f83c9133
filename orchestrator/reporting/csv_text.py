"""Write CSV that a spreadsheet shows and never computes."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence

_FORMULA = re.compile(r"\s*[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r\n]")
"""Beginnings of a cell that Excel, LibreOffice or Google Sheets take for a formula, full-width ones included."""

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def csv_text(columns: Sequence[str], rows: Iterable[Mapping[str, str]]) -> str:
    """Write a table with a header; what a row lacks is empty.

    Text that a spreadsheet would take for a formula begins with `'`, as in a cell that a person types; numbers stay.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, list(columns), restval="", lineterminator="\n")
    writer.writerow({column: _shown(column) for column in columns})
    writer.writerows({column: _shown(value) for column, value in row.items()} for row in rows)
    return text.getvalue()


def _shown(value: str) -> str:
    value = re.sub(r"\r\n?", "\n", value)  # which the csv module does not quote
    return f"'{value}" if _FORMULA.match(value) and not _NUMBER.fullmatch(value) else value
