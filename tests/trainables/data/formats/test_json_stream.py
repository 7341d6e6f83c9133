"""JSON of any size is streamed value by value, and what is damaged is refused with its place in the file."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from search_spaces.errors import InputError
from trainables.data.formats import text_window
from trainables.data.formats.json_stream import JsonStream
from trainables.data.refused import RefusedRecord, raise_refused

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)
LINE = json.dumps({"id": "x"})


def _file(folder: Path, text: str | bytes) -> Path:
    file = folder / "chat.json"
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return file


def json_values(file: Path) -> list[Any]:
    return [value for _, value in JsonStream(file).values(raise_refused)]


def _read(file: Path) -> tuple[list[tuple[int, Any]], list[RefusedRecord]]:
    refused: list[RefusedRecord] = []
    return list(JsonStream(file).values(refused.append)), refused


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=st.lists(JSON), chunk=st.integers(1, 20), indent=st.sampled_from([None, 1]), ascii_only=st.booleans())
def test_any_array_is_streamed_as_json_reads_it_whatever_the_size_of_a_piece(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, values: list[Any], chunk: int, indent: int | None, ascii_only: bool
) -> None:
    monkeypatch.setattr(text_window, "_CHUNK", chunk)
    text = json.dumps(values, indent=indent, ensure_ascii=ascii_only).encode("utf-8", "ignore")
    assert list(json_values(_file(tmp_path, text))) == json.loads(text)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.dictionaries(st.text(max_size=4), JSON, max_size=3)), chunk=st.integers(1, 20))
def test_one_object_per_line_is_read_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: list[Any], chunk: int
) -> None:
    monkeypatch.setattr(text_window, "_CHUNK", chunk)
    assert list(json_values(_file(tmp_path, "\n".join(map(json.dumps, rows))))) == rows


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.binary(max_size=60) | st.text(alphabet='[]{},:"\\ 0truefalsn\n', max_size=40).map(str.encode))
def test_any_bytes_are_values_or_an_input_error(tmp_path: Path, text: bytes) -> None:
    try:
        list(json_values(_file(tmp_path, text)))
    except InputError as error:
        assert "chat.json" in str(error)  # noqa: PT017


@pytest.mark.parametrize("text", ['[{"a": 1}', "[{},]", "[{} {}]", '[{}] "more"', '[{"a": 1}, {"b"', "[", "[1] ]"])
def test_a_damaged_file_names_itself_and_the_record(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError, match=r"chat\.json\[\d+\].*must be a JSON array"):
        list(json_values(_file(tmp_path, text)))


def test_endless_nesting_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        list(json_values(_file(tmp_path, "[" * 200_000)))


@pytest.mark.parametrize("chunk", [7, 4 << 20])
def test_a_damaged_line_is_named_by_its_line_and_column_and_the_others_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    monkeypatch.setattr(text_window, "_CHUNK", chunk)
    lines = [LINE] * 9
    lines[3], lines[6] = LINE[:-1] + ",}", LINE + ","
    values, refused = _read(_file(tmp_path, "\n".join(lines)))
    assert [number for number, _ in values] == [0, 1, 2, 4, 5, 7, 8]
    assert [record.place.split("chat.json")[1] for record in refused] == [
        "[3] (line 4, column 12)",
        "[6] (line 7, column 12)",
    ]


def test_a_line_that_was_cut_off_is_named_where_it_begins_and_the_next_one_is_read(tmp_path: Path) -> None:
    values, (refused,) = _read(_file(tmp_path, f'{LINE}\n{{"id":\n{LINE}\n{LINE}'))
    assert [number for number, _ in values] == [0, 2, 3]
    assert "[1] (line 2, column 1)" in refused.place


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_encodings_and_gzip_are_told_by_the_first_bytes(tmp_path: Path, encoding: str, pack: Any) -> None:
    rows = [{"id": "\u00e9\u4e2d"}, {"id": "b"}]
    text = json.dumps(rows, ensure_ascii=False, indent=1).replace("\n", "\r\n")
    assert json_values(_file(tmp_path, pack(text.encode(encoding)))) == rows


def test_gzip_that_is_cut_off_gives_what_was_before_and_says_where_it_ends(tmp_path: Path) -> None:
    rows = [{"id": f"{number * 7919 % 65537:x}" * 9} for number in range(20_000)]
    packed = gzip.compress("\n".join(map(json.dumps, rows)).encode())
    values, refused = _read(_file(tmp_path, packed[: len(packed) // 2]))
    assert [value for _, value in values] == rows[: len(values)]
    assert len(values) > 100
    assert f"(line {len(values) + 1:,}," in refused[0].place
    assert "cut off" in refused[0].law


def test_a_byte_that_is_not_utf_8_spoils_its_own_record_only(tmp_path: Path) -> None:
    values, refused = _read(_file(tmp_path, b'[{"id": "caf\xe9"}, {"id": "b"}]'))
    assert (len(values), values[1], refused) == (2, (1, {"id": "b"}), [])
    with pytest.raises(UnicodeEncodeError):
        values[0][1]["id"].encode()


def test_a_key_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    values, (refused,) = _read(_file(tmp_path, '[{"a": 1}, {"b": {"a": 1, "a": 2}}, {"a": 3}]'))
    assert [number for number, _ in values] == [0, 2]
    assert "'a' twice" in refused.law


def test_an_integer_of_thousands_of_digits_ends_nothing(tmp_path: Path) -> None:
    values, refused = _read(_file(tmp_path, f'[{{"id": {"9" * 5000}}}, {{"id": 1}}]'))
    assert (len(values), values[1], refused) == (2, (1, {"id": 1}), [])


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "Git LFS"),
        (b"<!DOCTYPE html><html>", "HTML"),
        (b"PK\x03\x04....", "ZIP"),
        (b"PAR1....", "Parquet"),
    ],
)
def test_a_file_of_another_kind_is_named_as_what_it_is(tmp_path: Path, content: bytes, kind: str) -> None:
    with pytest.raises(InputError, match=kind):
        json_values(_file(tmp_path, content))
