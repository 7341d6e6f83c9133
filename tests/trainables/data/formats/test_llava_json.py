"""A file of conversations is read record by record, and every record that cannot be is told with its place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from search_spaces.errors import InputError
from search_spaces.spec import SourceSpec
from tests.support.source_files.llava_json import write_llava
from trainables.data.readers import open_reader
from trainables.data.record import TEXT_ONLY
from trainables.data.refused import RefusedRecord

TALK = [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}]


def test_every_refused_record_is_told_by_its_line_and_the_others_are_read(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [{"id": str(number), "conversations": TALK} for number in range(6)]
    rows[1]["conversations"], rows[4]["image"] = [], "/abs.png"
    (tmp_path / "chat.jsonl").write_text("\n".join(map(json.dumps, rows)))
    refused: list[RefusedRecord] = []
    source = SourceSpec(name="s", version="1", reader="llava", path="chat.jsonl")
    read = list(open_reader(source, tmp_path).records(refused.append))
    assert [record.id for record in read] == ["0", "2", "3", "5"]
    assert [(record.kind, record.place.split("(")[1]) for record in refused] == [
        ("turns", "line 2, column 1)"),
        ("image path", "line 5, column 1)"),
    ]


def test_llava_turns_are_stripped_and_lose_the_image_placeholder(tmp_path: Path) -> None:
    (first, second) = open_reader(write_llava(tmp_path), tmp_path).records()
    assert first.turns == (("what is it?", "red"),)
    assert second.tags == (TEXT_ONLY,)


def test_llava_with_turns_out_of_order_names_the_record(tmp_path: Path) -> None:
    rows = [{"id": "x", "conversations": [{"from": "gpt", "value": "a"}, {"from": "human", "value": "b"}]}]
    (tmp_path / "chat.json").write_text(json.dumps(rows))
    source = SourceSpec(name="s", version="1", reader="llava", path="chat.json")
    with pytest.raises(InputError, match=r"chat\.json\[0\].*alternate human, gpt"):
        list(open_reader(source, tmp_path).records())


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"%PDF-1.4", "a PDF"),
        (b"ARROW1\0\0", "an Arrow"),
        (b"SQLite format 3\0", "a SQLite database"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(90), "a workbook or document of Office"),
        (b"\x80\x04\x95" + bytes(20), "a pickle"),
        (bytes(500), "zero bytes, which were never written"),
    ],
)
def test_a_file_of_another_kind_is_named_for_what_it_is(tmp_path: Path, data: bytes, words: str) -> None:
    (tmp_path / "chat.json").write_bytes(data)
    source = SourceSpec(name="s", version="1", reader="llava", path="chat.json")
    with pytest.raises(InputError, match=rf"chat\.json: must be JSON, but is {words}"):
        list(open_reader(source, tmp_path).records())
