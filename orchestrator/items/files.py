"""Read files of items: JSON Lines, gzipped or not, Parquet, and folders of them."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.json as pj
import pyarrow.parquet as pq

from orchestrator.items.table import (
    NEVER_EMPTY,
    REQUIRED,
    SCHEMA,
    ItemTable,
    RowSource,
    absent_columns,
    kind_of,
    problem_of_rows,
    typed_table,
)
from search_spaces.errors import InputError, Problems
from search_spaces.quantities import number_of
from trainables.benchmarks.files.json_words import object_of, what_is_wrong
from trainables.benchmarks.files.plain_text import read_bytes, text_of

ENDINGS = (".jsonl", ".jsonl.gz", ".parquet")
"""Names of the files of a folder that are read."""
_SHOWN = 5

_BARE_NULL = re.compile(r"(?:\A\ufeff?|[\n}])[^\S\n]*null")
"""A null where an object should begin: it ends the process of pyarrow 25's reader with a segmentation fault. Of a run
of blank lines only the last is looked at: else the search takes the square of their number."""


def read_items(paths: Sequence[Path]) -> ItemTable:
    """Read the rows of all files, in the order of their paths.

    Args:
        paths: files, whose kind is seen in their content, and folders, of which every file of `ENDINGS` is read.

    Raises:
        InputError: everything that keeps files from being read as columns of the items table, of all files together.
    """
    problems = Problems()
    files, notes = _files(paths, problems)
    tables: list[pa.Table] = []
    sources: list[RowSource] = []
    for path in files:
        with problems.collected():
            table, is_lines = _read_file(path)
            tables.append(table)
            sources.append(RowSource(str(path), table.num_rows, is_lines))
    problems.raise_all()
    return ItemTable(pa.concat_tables(tables), tuple(sources), tuple(notes))


def _files(paths: Iterable[Path], problems: Problems) -> tuple[list[Path], list[str]]:
    """List the files, each once, and say which ones of a folder are not read."""
    files: dict[Path, Path] = {}
    notes = []
    for path in paths:
        if not path.is_dir():
            files.setdefault(path.resolve(), path)
            continue
        inside = sorted(file for file in path.rglob("*") if file.is_file() and not file.name.startswith("."))
        chosen = [file for file in inside if file.name.lower().endswith(ENDINGS)]
        if not chosen:
            law = f"a folder of items must hold files called {', '.join(f'*{ending}' for ending in ENDINGS)}"
            others = f" (only {number_of(len(inside), 'other file')})" if inside else ""
            problems.add(InputError(f"{law}, but has none{others}", place=str(path)))
        for file in chosen:
            files.setdefault(file.resolve(), file)
        if chosen and len(inside) > len(chosen):
            left = [str(file.relative_to(path)) for file in inside if file not in chosen]
            more = ", ..." if len(left) > _SHOWN else ""
            notes.append(f"Not read in {path}: {', '.join(left[:_SHOWN])}{more}.")
    return list(files.values()), notes


def _read_file(path: Path) -> tuple[pa.Table, bool]:
    """Read one file, and tell whether its rows are lines."""
    data, place = read_bytes(path), str(path)
    if data.startswith(b"PAR1"):
        table = typed_table(_parquet(data, place), place)
    elif data.strip():
        table = _lines(text_of(data, place), place)
    else:
        table = pa.table([], schema=pa.schema([]))
    if not table.num_rows:
        raise InputError("must hold items, but is empty", place=place)
    return table, not data.startswith(b"PAR1")


def _parquet(data: bytes, place: str) -> pa.Table:
    try:
        return pq.read_table(io.BytesIO(data))
    except (OSError, ValueError) as error:  # pyarrow's own errors derive from these
        raise InputError(f"must be a complete Parquet file, but {error}", place=place) from error


def _lines(text: str, place: str) -> pa.Table:
    """Read JSON Lines at once; where anything is not as it should be, line by line, which says where and what."""
    if _BARE_NULL.search(text):
        return _line_by_line(text, place)
    n_lines = text.count("\n") + (not text.endswith("\n"))
    options = pj.ParseOptions(explicit_schema=SCHEMA.remove_metadata(), unexpected_field_behavior="ignore")
    try:
        table = pj.read_json(io.BytesIO(text.encode()), parse_options=options)
    except (pa.ArrowException, UnicodeEncodeError):
        return _line_by_line(text, place)
    is_whole = table.num_rows == n_lines or table.num_rows == sum(map(bool, map(str.strip, text.split("\n"))))
    if not is_whole or any(table[column].null_count for column in REQUIRED):
        return _line_by_line(text, place)
    return table.select(SCHEMA.names)


def _line_by_line(text: str, place: str) -> pa.Table:
    wrong: dict[tuple[str | None, str], tuple[str, list[str]]] = {}
    rows, keys = [], dict[str, None]()

    def add(kind: str, law: str, place: str, key: str | None = None) -> None:
        wrong.setdefault((key, kind), (law, []))[1].append(place)

    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        at = f"{place}:{number}"
        try:
            row = json.loads(line, object_pairs_hook=object_of)
        except (ValueError, RecursionError) as error:
            add("JSON", f"must be one JSON object per line, but {what_is_wrong(error)}", at)
            continue
        if not isinstance(row, dict):
            add("object", 'a line must be an object such as {"arm": ..., "seed": 1, ...}', at)
            continue
        keys.update(dict.fromkeys(row))
        rows.append(row)
        for kind, law, key in _row_problems(row):
            add(kind, law, at, key)
    absent = [column for column in REQUIRED if not any(row.get(column) is not None for row in rows)]
    if absent and rows:
        raise absent_columns(absent, list(keys), place)
    Problems(problem_of_rows(at, len(at), law, key) for (key, _), (law, at) in wrong.items()).raise_all()
    return pa.Table.from_pylist([{name: row.get(name) for name in SCHEMA.names} for row in rows], schema=SCHEMA)


def _row_problems(row: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Find what is wrong with the values of one line: (kind, law, column)."""
    for field in SCHEMA:
        value = row.get(field.name)
        if value is None:
            if field.name in REQUIRED:
                yield "null", "must be given", field.name
        elif not _is_value(value, field):
            yield "type", f"must be {_kind_wanted(value, field)}, but is {_value_text(value)}", field.name
        elif field.name in NEVER_EMPTY and not value:
            yield "empty", "must not be empty", field.name


def _is_value(value: Any, field: pa.Field) -> bool:
    if pa.types.is_string(field.type):
        return isinstance(value, str) and not any("\ud800" <= sign <= "\udfff" for sign in value)
    if isinstance(value, bool):
        return False
    if pa.types.is_integer(field.type):
        return isinstance(value, int) and abs(value) < 2**63
    return isinstance(value, int | float) and 0 <= value <= 1


def _kind_wanted(value: Any, field: pa.Field) -> str:
    """Say what a column holds, with what a value of the right type lacks."""
    if isinstance(value, str) and pa.types.is_string(field.type):
        return f"{kind_of(field)} without halves of characters"
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return f"{kind_of(field)} of 64 bits" if is_number and pa.types.is_integer(field.type) else kind_of(field)


def _value_text(value: Any) -> str:
    """Write a value for a message, short."""
    text = json.dumps(value)
    return text if len(text) <= 40 else f"{text[:40]} ..."
