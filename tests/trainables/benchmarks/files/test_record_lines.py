"""Claims about files of records and the lines that these begin in."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from search_spaces.errors import InputError
from trainables.benchmarks.files.record_lines import read_record_lines

LINES = '{"id": 1}\n\n{"id": 2}\n'
LIST = '\n[\n  {"id": 1},\n  {\n    "id": 2\n  }\n]\n'


@pytest.mark.parametrize(("text", "lines"), [(LINES, [1, 3]), (LIST, [3, 4]), ('[{"id": 1}, {"id": 2}]', [1, 1])])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("compressed", [False, True])
def test_every_record_comes_with_its_line(
    text: str, lines: list[int], encoding: str, compressed: bool, tmp_path: Path
) -> None:
    content = text.encode(encoding)
    file = tmp_path / "records.json"
    file.write_bytes(gzip.compress(content) if compressed else content)
    assert read_record_lines(file) == [(line, {"id": number}) for number, line in enumerate(lines, start=1)]


@pytest.mark.parametrize(
    ("text", "place", "what"),
    [
        ('{"id": 1}\n{"id": \n', ":2", "JSON Lines"),
        ('{"id": 1, "id": 2}\n', ":1", "'id' is there twice"),
        ('{"id": NaN}\n', ":1", "NaN is no number"),
        ('[{"id": 1},\n{"id": 2}', ":2", "without a comma"),
        ('[{"id": 1}\n{"id": 2}]', ":2", "without a comma"),
        ('[{"id": 1},\n]', ":2", "Expecting value"),
        ('[{"id": 1}]\n[]', "", "something follows"),
        ("[]", "", "it is empty"),
        (" \n", "", "it is empty"),
        ("[" * 100_000, ":1", "list of records"),
    ],
)
def test_what_is_no_list_of_records_is_refused_by_line(text: str, place: str, what: str, tmp_path: Path) -> None:
    file = tmp_path / "records.json"
    file.write_text(text)
    with pytest.raises(InputError, match=what) as refused:
        read_record_lines(file)
    assert str(refused.value.place).startswith(f"{file}{place}")


@pytest.mark.parametrize("content", [b"\x1f\x8bnot gzip", b"\xff\xfea", b'{"a": "\xe9"}'])
def test_what_is_no_text_is_refused(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "records.json"
    file.write_bytes(content)
    with pytest.raises(InputError, match="must be"):
        read_record_lines(file)


def test_a_long_list_is_read_as_json_reads_it(tmp_path: Path) -> None:
    records = [{"id": number, "text": "a\nb"} for number in range(500)]
    file = tmp_path / "records.json"
    file.write_text(json.dumps(records, indent=1))
    read = read_record_lines(file)
    assert [record.value for record in read] == records
    lines = file.read_text().split("\n")
    assert all(lines[record.line - 1] == " {" for record in read)
