"""Records over dialect x modality x damage x container: read as what they say, or listed by where they are."""

from __future__ import annotations

import copy
import gzip
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given
from hypothesis import strategies as st

from search_spaces.errors import InputError
from search_spaces.spec import SourceSpec
from tests.support.broken_inputs import tries
from tests.support.broken_records import DAMAGES, DIALECTS, UNIFORM, Truth, truths, write_row
from trainables.data.readers import Reader, open_reader
from trainables.data.record import Record
from trainables.data.refused import RefusedRecord

ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32")
TEXT_DAMAGES = ("comma in the object", "comma behind it", "cut off", "a key twice", "no UTF-8", "no colon")


@dataclass(frozen=True)
class Case:
    """Records with their rows, some of them damaged."""

    truths: tuple[Truth, ...]
    rows: tuple[Any, ...]
    damages: dict[int, str]
    """Number of a record -> what is wrong with it."""


@st.composite
def cases(draw: st.DrawFn, damages: tuple[str, ...], one_dialect: bool = False) -> Case:
    numbers = range(draw(st.integers(1, 7)))
    said = [draw(truths(number)) for number in numbers]
    every = draw(st.sampled_from(sorted(DIALECTS)))
    dialects = [every if one_dialect else draw(st.sampled_from(sorted(DIALECTS))) for _ in numbers]
    rows: list[Any] = [write_row(dialect, truth) for dialect, truth in zip(dialects, said, strict=True)]
    broken: dict[int, str] = {}
    for number in draw(st.sets(st.sampled_from(numbers), max_size=3)):
        damage = draw(st.sampled_from(damages))
        row = DAMAGES[damage](copy.deepcopy(rows[number]))
        if row is not None:
            rows[number], broken[number] = row, damage
    return Case(tuple(said), tuple(rows), broken)


def _read(file: Path) -> tuple[Reader, list[Record], list[RefusedRecord]]:
    kind: Any = "parquet" if file.suffix == ".parquet" else "llava"
    refused: list[RefusedRecord] = []
    reader = open_reader(SourceSpec(name="s", version="1", reader=kind, path=file.name), file.parent)
    return reader, list(reader.records(refused.append)), refused


def _check_read(case: Case, read: list[Record], broken: set[int]) -> None:
    expected = [truth for number, truth in enumerate(case.truths) if number not in broken]
    assert [(record.id, record.image, record.turns) for record in read] == [
        (truth.id, truth.image, truth.turns) for truth in expected
    ]


@tries("records", few=60)
@given(
    case=cases(tuple(DAMAGES)),
    encoding=st.sampled_from(ENCODINGS),
    form=st.sampled_from(["array", "indented", "lines"]),
    ending=st.sampled_from(["\n", "\r\n"]),
    packed=st.booleans(),
    ascii_only=st.booleans(),
)
def test_damaged_records_of_json_are_listed_by_line_and_column_and_the_others_are_read(
    tmp_path: Path, case: Case, encoding: str, form: str, ending: str, packed: bool, ascii_only: bool
) -> None:
    indent = 1 if form == "indented" else None
    texts = [json.dumps(row, indent=indent, ensure_ascii=ascii_only).replace("\n", ending) for row in case.rows]
    first, between, last = ("", ending, "") if form == "lines" else ("[", f", {ending}" if indent else ", ", "]")
    text, places = first, []
    for number, row in enumerate(texts):
        text += between if number else ""
        places.append((text.count("\n") + 1, len(text) - text.rfind("\n")))
        text += row
    content = (text + last).encode(encoding)
    file = tmp_path / "chat.json"
    file.write_bytes(gzip.compress(content) if packed else content)
    _, read, refused = _read(file)
    _check_read(case, read, set(case.damages))
    assert [record.place for record in refused] == [
        f"{file}[{number}] (line {places[number][0]:,}, column {places[number][1]:,})"
        for number in sorted(case.damages)
    ]
    assert all(record.law.isprintable() for record in refused)


def _damaged_line(damage: str, line: bytes) -> bytes:
    match damage:
        case "comma in the object":
            return line[:-1] + b",}"
        case "comma behind it":
            return line + b","
        case "cut off":
            return line[: len(line) // 2]
        case "a key twice":
            return b'{"id": "y", ' + line[1:]
        case "no UTF-8":
            return line.replace(b'": "', b'": "\xe9', 1)
        case _:
            return line.replace(b":", b"", 1)


@tries("records", few=60)
@given(
    case=cases(("video",)),
    broken=st.dictionaries(st.integers(0, 6), st.sampled_from(TEXT_DAMAGES), max_size=3),
    packed=st.booleans(),
)
def test_damaged_lines_are_listed_by_number_and_the_others_are_read(
    tmp_path: Path, case: Case, broken: dict[int, str], packed: bool
) -> None:
    lines = [json.dumps(row).encode() for row in case.rows]
    lines = [_damaged_line(broken[n], line) if n in broken else line for n, line in enumerate(lines)]
    content = b"\n".join(lines) + b"\n"
    file = tmp_path / "chat.jsonl"
    file.write_bytes(gzip.compress(content) if packed else content)
    _, read, refused = _read(file)
    wrong = {*case.damages, *(number for number in broken if number < len(lines))}
    _check_read(case, read, wrong)
    assert [record.place.split(",")[0] for record in refused] == [
        f"{file}[{number}] (line {number + 1}" for number in sorted(wrong)
    ]


@tries("records", few=40)
@given(case=cases(("video",)), cut=st.floats(0, 1), packed=st.booleans(), lines=st.booleans())
def test_a_file_that_was_cut_off_gives_the_records_before_and_says_where_it_ends(
    tmp_path: Path, case: Case, cut: float, packed: bool, lines: bool
) -> None:
    texts = [json.dumps(truth_row) for truth_row in case.rows]
    whole = ("\n".join(texts) + "\n" if lines else f"[{', '.join(texts)}]").encode()
    content = gzip.compress(whole) if packed else whole
    end = int(cut * (len(content) - 2))
    file = tmp_path / "chat.json"
    file.write_bytes(content[:end])
    try:
        _, read, refused = _read(file)
    except InputError as error:
        assert str(file) in str(error)  # noqa: PT017
        return
    kept = [number for number in range(len(texts)) if number not in case.damages]
    expected = [case.truths[number].id for number in kept]
    assert [record.id for record in read] == expected[: len(read)]
    assert refused or not end or (lines and not packed and _is_json_lines(content[:end]))


def _is_json_lines(content: bytes) -> bool:
    """Tell whether what is left of JSON Lines is a file like any other."""
    try:
        return all(isinstance(json.loads(line), dict) for line in content.decode().splitlines())
    except ValueError:
        return False


@tries("records", few=60)
@given(
    case=cases(UNIFORM, one_dialect=True),
    column=st.sampled_from(["bytes", "struct", "list of bytes", "list of structs"]),
    size=st.integers(1, 4),
    path_alone=st.booleans(),
)
def test_damaged_rows_of_parquet_are_listed_by_row_and_group_and_the_others_are_read(
    tmp_path: Path, case: Case, column: str, size: int, path_alone: bool
) -> None:
    name = "images" if column.startswith("list") else "image"
    rows, wrong = [], set(case.damages)
    for number, (row, truth) in enumerate(zip(case.rows, case.truths, strict=True)):
        lost = case.damages.get(number) == "placeholder without an image"
        shown = None if truth.image is None or lost else truth.image.encode()
        path = truth.image
        if path_alone and number == 0 and column.endswith("structs") and shown:
            shown = None
            wrong.add(number)
        elif shown is None:
            path = None
        value = {"bytes": shown, "path": path} if "struct" in column else shown
        kept = {key: value for key, value in row.items() if key not in ("image", "images")}
        if "messages" in kept:
            kept["messages"] = [_without_paths(turn) for turn in kept["messages"]]
        rows.append({**kept, name: ([] if path is None else [value]) if name == "images" else value})
    file = tmp_path / "chat.parquet"
    kind = pa.struct({"bytes": pa.binary(), "path": pa.string()}) if "struct" in column else pa.binary()
    table = pa.Table.from_pylist([{key: value for key, value in row.items() if key != name} for row in rows])
    images = pa.array([row[name] for row in rows], pa.list_(kind) if name == "images" else kind)
    pq.write_table(table.append_column(name, images), file, row_group_size=size)
    reader, read, refused = _read(file)
    expected = [truth for number, truth in enumerate(case.truths) if number not in wrong]
    assert [(record.id, record.turns) for record in read] == [(truth.id, truth.turns) for truth in expected]
    assert [record.image and reader.image(record.image).decode() for record in read] == [t.image for t in expected]
    assert [record.place for record in refused] == [
        f"{file}[{number}] (row group {number // size})" for number in sorted(wrong)
    ]


def _without_paths(turn: dict[str, Any]) -> dict[str, Any]:
    if isinstance(turn["content"], str):
        return turn
    return {**turn, "content": [{"type": part["type"], "text": part.get("text")} for part in turn["content"]]}
