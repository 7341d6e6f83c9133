"""Plain tables for the terminal, of a length that a person reads."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Group
from rich.table import Table
from rich.text import Text

MOST_ROWS = 60
"""Longer tables are cut on the terminal; JSON has everything."""


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

    Args:
        title: above it.
        columns: their names.
        rows: texts of the cells.
        right: positions of columns that are aligned to the right.
        total: number of rows, shown where they are cut.
        most: number of rows that are shown.
    """
    shown = Table(box=None, pad_edge=False)
    for number, name in enumerate(columns):
        shown.add_column(name, justify="right" if number in right else "left", overflow="fold")
    for number, row in enumerate(rows):
        if total is not None and number == most:
            shown.add_row(f"... and {total - most:,} more (--json has all)")
            break
        shown.add_row(*map(Text, row))
    return Group(Text(title, "bold"), shown)  # a title of the table itself is broken to the width of its columns
