"""Read the records of a file of answers: JSON, JSON Lines, an object of id: answer, CSV, Excel, Parquet, a pickle."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from search_spaces.errors import InputError
from trainables.benchmarks.answers.fields import ANSWERS, NAMES
from trainables.benchmarks.answers.problems import KindsOfProblems
from trainables.benchmarks.files.delimited import Delimited, split_answers
from trainables.benchmarks.files.json_words import object_of, what_is_wrong, where_and_what
from trainables.benchmarks.files.plain_pickle import load_plain
from trainables.benchmarks.files.plain_text import read_bytes, text_of
from trainables.benchmarks.files.table_files import is_workbook, read_sheet

_JSON = json.JSONDecoder(object_pairs_hook=object_of)
_WHITE_SPACE = " \t\n\r"
"""What JSON allows around a value."""
_PICKLES = (".p", ".pkl", ".pickle")
_KNOWN = {name.lower() for name in (*ANSWERS, *NAMES, "question", "scores")}
_RECORD = 'a record must be an object such as {"id": ..., "prediction": ...}'


class Record(NamedTuple):
    """Record of a file."""

    place: str
    """File and line, or file and position in its list."""
    fields: dict[str, Any]


def read_records(path: Path) -> list[Record]:
    """Read all records of a file of answers; what kind of file it is is seen in its content.

    Raises:
        InputError: for what cannot be read, what is no record, and a file without records; each kind once, with the
            number of its places.
    """
    data, place = read_bytes(path), str(path)
    if not data.strip():
        raise InputError("must hold predictions, but is empty", place=place)
    if is_workbook(data):
        records = _of_table(read_sheet(data, place, exact=True), place)
    elif data.startswith(b"PAR1"):
        records = [Record(f"{place}[{n}]", row) for n, row in enumerate(_parquet_rows(data, place))]
    elif data.startswith(b"\x80") or path.suffix.lower() in _PICKLES:
        records = list(_of_value(load_plain(data, place), place))
    else:
        records = _of_text(text_of(data, place), place)
    if not records:
        raise InputError("must hold predictions, but has none", place=place)
    return records


def _parquet_rows(data: bytes, place: str) -> list[dict[str, Any]]:
    try:
        names = pq.read_schema(io.BytesIO(data)).names
        _check_columns(names, place)
        rows: list[dict[str, Any]] = pq.read_table(io.BytesIO(data)).to_pylist()
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"must be a complete Parquet file, but {error}", place=place) from error
    return rows


def _check_columns(names: Sequence[str], place: str) -> None:
    """Raise InputError for a column that is there twice, whatever its case: which one holds the answers?"""
    plain = [name.strip().lower() for name in names if name.strip()]
    repeated = next((name for name in plain if plain.count(name) > 1), None)
    if repeated is not None:
        raise InputError(f"a column must be there once, whatever its case, but {repeated!r} is twice", place=place)


def _of_text(text: str, place: str) -> list[Record]:
    if text.lstrip()[:1] not in ("{", "["):
        return _of_table(split_answers(text, place), place)
    try:
        value = _JSON.decode(text)
    except (ValueError, RecursionError) as error:
        if text.lstrip()[:1] == "[" and not _is_json(text.lstrip().partition("\n")[0]):
            raise InputError(f"must be JSON, but {where_and_what(error)}", place=place) from error
        return _of_lines(text, place)
    if isinstance(value, dict) and "\n" not in text.strip() and _is_record(value):
        return [Record(f"{place}:1", value)]
    return list(_of_value(value, place))


def _decoded(line: str) -> Any:
    """Decode one JSON value, without the decoder's own search for white space around it."""
    line = line.strip(_WHITE_SPACE)
    value, end = _JSON.raw_decode(line)
    return value if end == len(line) else _JSON.decode(line)  # which says what is wrong


def _is_json(text: str) -> bool:
    try:
        _JSON.decode(text)
    except (ValueError, RecursionError):
        return False
    return True


def _of_lines(text: str, place: str) -> list[Record]:
    """Read one record per line, or values one after the other that each take several lines."""
    lines = [(number, line) for number, line in enumerate(text.split("\n"), start=1) if line.strip()]
    if not _is_json(lines[0][1]) and _is_json(text[: _end_of_first_value(text)]):
        return list(_of_values(text, place))
    records, problems = [], KindsOfProblems()
    for number, line in lines:
        at = f"{place}:{number}"
        try:
            value = _decoded(line)
        except (ValueError, RecursionError) as error:
            problems.add(f"must be one JSON object per line, but {what_is_wrong(error)}", at)
            continue
        if isinstance(value, dict):
            records.append(Record(at, value))
        else:
            problems.add(_RECORD, at)
    problems.raise_all()
    return records


def _end_of_first_value(text: str) -> int:
    try:
        return _JSON.raw_decode(text, len(text) - len(text.lstrip()))[1]
    except (ValueError, RecursionError):
        return 0


def _of_values(text: str, place: str) -> Iterator[Record]:
    at = 0
    while text[at:].strip():
        at += len(text[at:]) - len(text[at:].lstrip())
        line = f"{place}:{text.count(chr(10), 0, at) + 1}"
        try:
            value, at = _JSON.raw_decode(text, at)
        except (ValueError, RecursionError) as error:
            raise InputError(
                f"must be one JSON value after the other, but {what_is_wrong(error)}", place=line
            ) from error
        if not isinstance(value, dict):
            raise InputError(_RECORD, place=line)
        yield Record(line, value)


def _of_value(value: Any, place: str) -> Iterator[Record]:
    """Find the records in one value: a list, an object around one list of them, or an object of id: answer."""
    if isinstance(value, list | tuple):
        yield from _of_list(value, place)
        return
    if not isinstance(value, dict):
        raise InputError(_RECORD, place=place)
    if _is_record(value):
        yield Record(place, value)
        return
    lists = {key: rows for key, rows in value.items() if _is_list_of_records(rows)}
    if len(lists) == 1:
        (key, rows), *_ = lists.items()
        yield from _of_list(rows, f"{place}: {key}")
    elif lists:
        law = f"must have one list of predictions, but has several: {', '.join(map(str, lists))}"
        raise InputError(law, place=place)
    else:
        for name, answer in value.items():
            own = {"id": name, **answer} if isinstance(answer, dict) else {"id": name, "prediction": answer}
            yield Record(f"{place}: {name}", own)


def _is_record(value: dict[Any, Any]) -> bool:
    """Tell a record from an object of id: answer by its keys."""
    ids = {"id", "question_id", "questionId", "sent_id", "image", "question", "doc_id", "index"}
    return bool(ids & value.keys()) and not any(_is_list_of_records(rows) for rows in value.values())


def _is_list_of_records(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict)


def _of_list(rows: list[Any] | tuple[Any, ...], place: str) -> list[Record]:
    problems = KindsOfProblems()
    for number, row in enumerate(rows):
        if not isinstance(row, dict):
            problems.add(_RECORD, f"{place}[{number}]")
    problems.raise_all()
    return [Record(f"{place}[{number}]", row) for number, row in enumerate(rows)]


def _of_table(table: Delimited, place: str) -> list[Record]:
    """Name the cells of each line by the header."""
    names, problems = [name.strip() for name in table.lines[0].cells], KindsOfProblems()
    records = []
    if not {name.lower() for name in names} & _KNOWN:
        law = f"the first line must name the columns, such as id and prediction, but is {', '.join(names[:4])}"
        raise InputError(law, place=f"{place}:{table.lines[0].number}")
    _check_columns(names, f"{place}:{table.lines[0].number}")
    for line in table.lines[1:]:
        cells = line.cells + ("",) * (len(names) - len(line.cells) if len(line.cells) == 1 else 0)
        if len(cells) != len(names):
            problems.add(
                f"a line must have {len(names)} cells as the header, {table.separated_by}", f"{place}:{line.number}"
            )
        records.append(Record(f"{place}:{line.number}", dict(zip(names, cells, strict=False))))
    problems.raise_all()
    return records
