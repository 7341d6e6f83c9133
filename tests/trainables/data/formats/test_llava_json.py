"""LLaVA JSON of any size is streamed record by record, or refused with the place of the mistake."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from search_spaces.errors import InputError
from search_spaces.spec import SourceSpec
from tests.support.source_files.llava_json import write_llava
from trainables.data.formats import llava_json
from trainables.data.formats.llava_json import json_values, llava_record
from trainables.data.readers import open_reader
from trainables.data.record import TEXT_ONLY

TALK = [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


def _file(folder: Path, text: str | bytes) -> Path:
    file = folder / "chat.json"
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return file


def _record(**fields: Any) -> Any:
    return llava_record({"id": "x", "conversations": TALK} | fields, 3, "chat.json[3]")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=st.lists(JSON), chunk=st.integers(1, 20), indent=st.sampled_from([None, 1]), ascii_only=st.booleans())
def test_any_array_is_streamed_as_json_reads_it_whatever_the_size_of_a_piece(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, values: list[Any], chunk: int, indent: int | None, ascii_only: bool
) -> None:
    monkeypatch.setattr(llava_json, "_CHUNK", chunk)
    text = json.dumps(values, indent=indent, ensure_ascii=ascii_only).encode("utf-8", "ignore")
    assert list(json_values(_file(tmp_path, text))) == json.loads(text)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.dictionaries(st.text(max_size=4), JSON, max_size=3)), chunk=st.integers(1, 20))
def test_one_object_per_line_is_read_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: list[Any], chunk: int
) -> None:
    monkeypatch.setattr(llava_json, "_CHUNK", chunk)
    assert list(json_values(_file(tmp_path, "\n".join(map(json.dumps, rows))))) == rows


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.binary(max_size=60) | st.text(alphabet='[]{},:"\\ 0truefalsn\n', max_size=40).map(str.encode))
def test_any_bytes_are_values_or_an_input_error(tmp_path: Path, text: bytes) -> None:
    try:
        list(json_values(_file(tmp_path, text)))
    except InputError as error:
        assert "chat.json[" in str(error)  # noqa: PT017


@pytest.mark.parametrize("text", ['[{"a": 1}', "[{},]", "[{} {}]", '[{}] "more"', '[{"a": 1}, {"b"', "[", "[1] ]"])
def test_a_damaged_file_names_itself_and_the_record(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError, match=r"chat\.json\[\d+\].*must be a JSON array"):
        list(json_values(_file(tmp_path, text)))


def test_endless_nesting_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        list(json_values(_file(tmp_path, "[" * 200_000)))


@given(row=JSON | st.fixed_dictionaries({"conversations": st.lists(JSON | st.sampled_from(TALK))}, optional={
    "id": JSON, "image": JSON, "tags": JSON, "images": JSON,
}))  # fmt: skip
def test_any_row_is_a_record_or_an_input_error_that_names_its_place(row: Any) -> None:
    try:
        record = llava_record(row, 3, "chat.json[3]")
    except InputError as error:
        assert str(error).startswith("chat.json[3]: ")  # noqa: PT017
    else:
        assert record.turns
        assert (record.image is None) == ("text-only" in record.tags)


@pytest.mark.parametrize(
    ("fields", "law"),
    [
        ({"image": ["a.png", "b.png"]}, "at most one image"),
        ({"images": ["a.png"]}, "at most one image"),
        ({"image": "/etc/passwd"}, "inside of the image folder"),
        ({"image": "../a.png"}, "inside of the image folder"),
        ({"image": "a/../../b.png"}, "inside of the image folder"),
        ({"image": ""}, "inside of the image folder"),
        ({"image": 7}, "must be text, but is int"),
        ({"image": "a.png", "tags": ["text-only"]}, "text-only is for records without an image"),
        ({"tags": "color"}, "must be a list"),
        ({"id": "\ud800"}, "must be Unicode"),
        ({"conversations": [{"from": "system", "value": "s"}, *TALK]}, "turn 0 is of the system"),
        ({"conversations": [{"from": "user", "value": "q"}]}, "turn 0 is of 'user'"),
        ({"conversations": [TALK[0], TALK[0]]}, "turn 1 is of 'human'"),
        ({"conversations": [{"from": "human"}, TALK[1]]}, "the value of turn 0 must be text"),
        ({"conversations": TALK[:1]}, "pairs, but there are 1"),
        ({"conversations": []}, "pairs, but there are 0"),
    ],
)
def test_what_cannot_be_trained_on_is_refused_with_its_reason(fields: dict[str, Any], law: str) -> None:
    with pytest.raises(InputError, match=law):
        _record(**fields)


def test_a_last_question_without_an_answer_is_left_out() -> None:
    assert _record(conversations=[*TALK, TALK[0]]).turns == (("q", "a"),)


@given(st.text(alphabet="<image> a", max_size=40))
def test_cleaning_a_text_again_changes_nothing(text: str) -> None:
    once = _record(conversations=[{"from": "human", "value": text}, TALK[1]]).turns[0][0]
    assert "<image>" not in once
    assert _record(conversations=[{"from": "human", "value": once}, TALK[1]]).turns[0][0] == once


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
