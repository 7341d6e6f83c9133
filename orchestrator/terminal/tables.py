"""Plain tables for the terminal, of a length that a person reads."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Group
from rich.table import Table
from rich.text import Text

MOST_ROWS = 60
"""Longer tables are cut on the terminal; JSON has everything."""

_NOTHING = frozenset(("-", "?", "none", "0", "0.0", "0.00", ""))
"""Cells that say that there is nothing: a column of them alone is left out."""


def table(
    title: str,
    columns: tuple[str, ...],
    rows: Iterable[tuple[str, ...]],
    *,
    right: tuple[int, ...] = (),
    total: int | None = None,
    most: int = MOST_ROWS,
) -> Group:
    """Make a table of at most `most` rows, if `total` says how many there would be; else of all.

    Columns in which there is nothing but zeros and dashes are left out. The first column always stays.

    Args:
        title: above it.
        columns: their names.
        rows: texts of the cells.
        right: positions of columns that are aligned to the right.
        total: number of rows, shown where they are cut.
        most: number of rows that are shown.
    """
    cells = [row for number, row in enumerate(rows) if total is None or number < most]
    kept = [n for n in range(len(columns)) if n == 0 or not cells or any(row[n] not in _NOTHING for row in cells)]
    shown = Table(box=None, pad_edge=False)
    for number in kept:
        shown.add_column(columns[number], justify="right" if number in right else "left", overflow="fold")
    for row in cells:
        shown.add_row(*(Text(row[number]) for number in kept))
    if total is not None and total > most:
        shown.add_row(f"... and {total - most:,} more (--json has all)")
    return Group(Text(title, "bold"), shown)  # a title of the table itself is broken to the width of its columns
