"""Claims about files of items: equal rows make equal tables, whatever kind of file they come from."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from orchestrator.items.files import read_items
from search_spaces.errors import InputError
from tests.support.bounded import bounded
from tests.support.item_rows import item_rows, write_lines

ROWS = item_rows({"base": 0.5, "other": 0.75}, seeds=(1,), n=4)
BLANK_LINES = "\n" * 1_000_000
BLANK_LINES_CPU_S = 20.0
"""They are read within a second; a search that begins anew at each of them takes hours."""


def test_files_of_every_kind_hold_the_same_rows(tmp_path: Path) -> None:
    lines = write_lines(tmp_path / "a.jsonl", ROWS)
    packed = tmp_path / "a.jsonl.gz"
    packed.write_bytes(gzip.compress(lines.read_bytes()))
    parquet = tmp_path / "a.parquet"
    table = pa.Table.from_pylist(ROWS)
    coded = table.set_column(0, "arm", table["arm"].dictionary_encode())
    pq.write_table(coded.set_column(1, "seed", table["seed"].cast(pa.int16())), parquet)
    spaced = write_lines(tmp_path / "b.jsonl", [" ", *ROWS[:3], "", *ROWS[3:]])
    tables = [read_items([path]).table for path in (lines, packed, parquet, spaced)]
    assert all(read.equals(tables[0]) for read in tables)
    assert tables[0].num_rows == len(ROWS)


def test_a_folder_is_all_its_files_of_items_and_says_what_it_leaves(tmp_path: Path) -> None:
    write_lines(tmp_path / "runs" / "one" / "a.jsonl", ROWS[:4])
    write_lines(tmp_path / "runs" / "b.jsonl", ROWS[4:])
    (tmp_path / "runs" / "notes.txt").write_text("mine")
    read = read_items([tmp_path / "runs", tmp_path / "runs" / "b.jsonl"])
    assert read.table.num_rows == len(ROWS)
    assert read.notes == (f"Not read in {tmp_path / 'runs'}: notes.txt.",)
    assert read.place(5) == f"{tmp_path / 'runs' / 'one' / 'a.jsonl'}:2"


def test_blank_lines_cost_no_more_than_reading_them(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(f"{json.dumps(ROWS[0])}{BLANK_LINES}{json.dumps(ROWS[1])}{BLANK_LINES}")
    with bounded(BLANK_LINES_CPU_S):
        assert read_items([path]).table.num_rows == 2


def test_a_null_behind_blank_lines_is_refused_with_its_line(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "a.jsonl", [ROWS[0], "", " ", "\t null"])
    with pytest.raises(InputError, match=re.escape(f"{path}:4: a line must be an object")):
        read_items([path])


def test_places_are_lines_of_text_and_rows_of_parquet(tmp_path: Path) -> None:
    pq.write_table(pa.Table.from_pylist(ROWS), tmp_path / "a.parquet")
    spaced = write_lines(tmp_path / "b.jsonl", ["", ROWS[0], "", ROWS[1]])
    read = read_items([tmp_path / "a.parquet", spaced])
    assert read.place(1) == f"{tmp_path / 'a.parquet'}, row 2"
    assert read.place(len(ROWS) + 1) == f"{spaced}:4"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"arm": "a"', "x.jsonl:1: must be one JSON object per line"),
        ("[1]", "x.jsonl:1: a line must be an object"),
        ("null", "x.jsonl:1: a line must be an object"),
        (f"{json.dumps(ROWS[0])}\r\n\tnull\n", "x.jsonl:2: a line must be an object"),
        ("{} null", "x.jsonl:1: must be one JSON object per line"),
        ("\ufeffnull", "x.jsonl:1: a line must be an object"),
        ('{"arm": "a", "arm": "b"}', "the key 'arm' is there twice"),
        ('{"arm": "a", "sed": 1}', "there is no seed, benchmark, id, score\nIt has arm, sed. Is sed its seed?"),
        (
            '{"arm": "a", "seed": null, "benchmark": "b", "id": "q", "score": 1}',
            "but seed is null in every row\nIt has arm, seed, benchmark, id, score.",
        ),
        (
            f'{{"arm": "a", "seed": {2**64}, "benchmark": "b", "id": "q\\ud83d", "score": 1}}',
            "seed: must be a whole number of 64 bits, but is 18446744073709551616",
        ),
        (
            '{"arm": "a", "seed": 1, "benchmark": "b", "id": "q\\ud83d", "score": 1}',
            "id: must be text without halves of characters",
        ),
        ("\n \n", "must hold items, but is empty"),
        ("<html>", "must hold data, but is an HTML page"),
        ("PAR1 and nothing", "must be a complete Parquet file"),
    ],
)
def test_what_is_no_file_of_items_is_refused_by_name(content: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text(content)
    with pytest.raises(InputError) as raised:
        read_items([path])
    assert message in str(raised.value)


def test_problems_of_all_files_come_together(tmp_path: Path) -> None:
    pq.write_table(pa.Table.from_pylist([{**row, "seed": "1"} for row in ROWS]), tmp_path / "a.parquet")
    write_lines(tmp_path / "b.jsonl", [{**ROWS[0], "score": 3}])
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError) as raised:
        read_items([tmp_path / "a.parquet", tmp_path / "none.jsonl", tmp_path / "empty", tmp_path / "b.jsonl"])
    problems = str(raised.value)
    assert "a.parquet: seed: must be a whole number, but the column is string" in problems
    assert "none.jsonl: must be readable, but No such file or directory" in problems
    assert "empty: a folder of items must hold files called *.jsonl, *.jsonl.gz, *.parquet, but has none" in problems
