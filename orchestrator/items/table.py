"""The items table: one row for each question that one arm with one seed answered. Which columns it has, of which types.

A row's place is a file with its line or row, or a row of a table in memory. Problems of many rows are named once, with
the first places and their number.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from search_spaces.errors import InputError, Problems
from search_spaces.quantities import number_of
from trainables.benchmarks.files.plain_text import read_text

SCHEMA = pa.schema(
    [
        pa.field("arm", pa.string(), metadata={"kind": "text"}),
        pa.field("seed", pa.int64(), metadata={"kind": "a whole number"}),
        pa.field("benchmark", pa.string(), metadata={"kind": "text"}),
        pa.field("id", pa.string(), metadata={"kind": "text"}),
        pa.field("score", pa.float64(), metadata={"kind": "a number from 0 to 1"}),
        pa.field("cluster", pa.string(), metadata={"kind": "text"}),
        pa.field("prediction", pa.string(), metadata={"kind": "text"}),
        pa.field("reference", pa.string(), metadata={"kind": "text"}),
    ]
)
"""Columns of the items table."""
REQUIRED = ("arm", "seed", "benchmark", "id", "score")
NEVER_EMPTY = ("arm", "benchmark", "id", "cluster")
"""Texts that must not be empty: an empty cluster would make one image of all questions without one."""
_SHOWN = 4


@dataclass(frozen=True)
class RowSource:
    """Where rows of a table come from."""

    name: str
    """Path of a file, or what a table in memory is called."""
    n_rows: int
    is_lines: bool = False
    """Whether rows are lines of a file; else they are counted from 1."""
    places: tuple[str, ...] = ()
    """Of each row, where they are known otherwise."""

    def place(self, row: int) -> str:
        """Name a row of this source, counted from 0."""
        if self.places:
            return self.places[row]
        return f"{self.name}:{self._line(row)}" if self.is_lines else f"{self.name}, row {row + 1}"

    def _line(self, row: int) -> int:
        """Find the line of a row; empty lines are no rows. Only asked for where something is wrong."""
        lines = read_text(Path(self.name)).split("\n")
        return [number for number, line in enumerate(lines, start=1) if line.strip()][row]


@dataclass(frozen=True)
class ItemTable:
    """Rows as they were read, in columns of `SCHEMA`, and where they come from. Nothing but types is checked."""

    table: pa.Table
    sources: tuple[RowSource, ...]
    """In the order of their rows."""
    notes: tuple[str, ...] = ()
    """What was not read."""

    def place(self, row: int) -> str:
        """Name a row, counted from 0 over all sources."""
        for source in self.sources:
            if row < source.n_rows:
                return source.place(row)
            row -= source.n_rows
        raise IndexError(row)

    def problem(self, rows: Sequence[int] | NDArray[np.intp], law: str, key: str) -> InputError:
        """Name what is wrong with some rows: the place of the first, and those of a few more.

        Args:
            rows: at least one, counted from 0.
            law: what must hold, and what the first of them has.
            key: the column.
        """
        return problem_of_rows([self.place(int(row)) for row in rows[: 1 + _SHOWN]], len(rows), law, key)


def problem_of_rows(places: Sequence[str], n_rows: int, law: str, key: str | None) -> InputError:
    """Name what is wrong with some rows.

    Args:
        places: of the first rows, at least one.
        n_rows: rows that it is wrong with.
        law: what must hold, and what the first of them has.
        key: the column.
    """
    others = n_rows - 1
    if others:
        same = f"{places[0].rpartition(', row ')[0]}, "
        shown = ", ".join(place.removeprefix(same).rpartition("/")[2] for place in places[1 : 1 + _SHOWN])
        more = ", ..." if others > _SHOWN else ""
        law = f"{law}; the same in {number_of(others, 'more row')}: {shown}{more}"
    return InputError(law, place=places[0], key=key)


def typed_table(table: pa.Table, name: str) -> pa.Table:
    """Take the columns of `SCHEMA` from a table, each in its type; text may come as a dictionary or with long offsets.

    Args:
        table: with any further columns, which are left out.
        name: of the file or the table, for errors.

    Raises:
        InputError: that names every column that is missing, comes twice or is of another type.
    """
    problems = Problems(_column_problems(table, name))
    problems.raise_all()
    columns = {field.name: _converted(table[field.name], field) for field in SCHEMA if _has_values(table, field.name)}
    n_rows = table.num_rows
    return pa.table(
        [columns.get(field.name, pa.nulls(n_rows, field.type)) for field in SCHEMA], schema=SCHEMA.remove_metadata()
    )


def _column_problems(table: pa.Table, name: str) -> Iterator[InputError]:
    names = table.column_names
    absent = [column for column in REQUIRED if column not in names]
    if absent:
        yield absent_columns(absent, names, name)
    for field in SCHEMA:
        if names.count(field.name) > 1:
            yield InputError("a column must be there once, but is there more than once", place=name, key=field.name)
        elif _has_values(table, field.name) and not _is_of_kind(table.schema.field(field.name).type, field):
            got = table.schema.field(field.name).type
            yield InputError(f"must be {kind_of(field)}, but the column is {got}", place=name, key=field.name)


def _has_values(table: pa.Table, column: str) -> bool:
    """Tell whether a column is there and holds anything: one of nothing has no type that would matter."""
    return column in table.column_names and (table[column].null_count < len(table) or column in REQUIRED)


def absent_columns(absent: Sequence[str], there: Sequence[str], name: str) -> InputError:
    """Say which columns of the items table a file lacks.

    Args:
        absent: columns that it lacks.
        there: those that it has.
        name: of the file.
    """
    law = f"items must have the columns {', '.join(REQUIRED)}, but "
    empty, lacking = ([name for name in absent if (name in there) is is_there] for is_there in (True, False))
    words = [f"there is no {', '.join(lacking)}"] if lacking else []
    words += [f"{', '.join(empty)} {'is' if len(empty) == 1 else 'are'} null in every row"] if empty else []
    law += " and ".join(words)
    others = [column for column in there if column not in REQUIRED]
    near = {column: difflib.get_close_matches(column, others, n=1) for column in absent}
    hints = [f"Is {names[0]} its {column}?" for column, names in near.items() if names]
    has = f"It has {', '.join(there[:12])}." if there else "It has no columns."
    return InputError(law, place=name, way_out=" ".join([has, *hints]))


def kind_of(field: pa.Field) -> str:
    """Say in words what a column of the items table holds."""
    return str(field.metadata[b"kind"].decode())


def _is_of_kind(kind: pa.DataType, field: pa.Field) -> bool:
    if pa.types.is_null(kind):
        return True
    if pa.types.is_dictionary(kind):
        return _is_of_kind(kind.value_type, field)
    if pa.types.is_string(field.type):
        return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))
    if pa.types.is_integer(field.type):
        return bool(pa.types.is_integer(kind))
    return bool(pa.types.is_floating(kind) or pa.types.is_integer(kind))


def _converted(column: pa.ChunkedArray, field: pa.Field) -> pa.ChunkedArray:
    try:
        return column if column.type == field.type else pc.cast(column, field.type)
    except pa.ArrowInvalid as error:
        raise InputError(f"must be {kind_of(field)}, but {error}", key=field.name) from error


def values_of(table: pa.Table, column: str) -> NDArray[Any]:
    """Return a column of numbers as one array."""
    array: NDArray[Any] = table[column].to_numpy()
    return array
