"""Claims about reading YAML strictly, with places."""

from __future__ import annotations

from pathlib import Path

import pytest

from search_spaces.errors import InputError
from search_spaces.yaml_source import key_text, parse, read


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-4", 1e-4),
        ("2e5", 2e5),
        (".5", 0.5),
        ("no", "no"),
        ("yes", "yes"),
        ("on", "on"),
        ("Off", "Off"),
        ("true", True),
        ("null", None),
        ("~", None),
        ("0x1F", 31),
        ("1:30", "1:30"),
        ("2024-01-01", "2024-01-01"),
        ("1_000", "1_000"),
        ("'1'", "1"),
    ],
)
def test_plain_scalar_is_read_by_the_core_schema_of_yaml_1_2(text: str, value: object) -> None:
    value_read = parse(f"key: {text}", "file").value["key"]
    assert value_read == value
    assert type(value_read) is type(value)


@pytest.mark.parametrize("key", ["on", "no", "1.0", "true", "2024-01-01"])
def test_key_is_text_as_it_was_written(key: str) -> None:
    assert list(parse(f"{key}: 1", "file").value) == [key]


@pytest.mark.parametrize(
    ("text", "law", "line"),
    [
        ("a: 1\nb: 2\na: 3", "must occur once", 3),
        ("a: 1\nb: !!str 2", "has the tag !!str", 2),
        ("a: !python/object:os.system x", "has the tag !python/object", 1),
        ("a:\n  - .nan", "must be finite", 2),
        ("a: 1\nb: -.inf", "must be finite", 2),
        ("a: 1e999", "must be finite", 1),
        ("x: &x {a: 1}\ny:\n  <<: *x", "no merge keys", 3),
        ("a: [1, 2\nb: 3", "must be YAML", 2),
        ("? [1, 2]\n: 3", "a key must be a word", 1),
        ("a: 1\nb: 010", "must not begin with 0", 2),
        ("a: 1\n---\nb: 2", "must be YAML, but found another document", 2),
        ("a:\n\tb: 1", "the line is indented by a tab", 2),
        ("a:\n  b: 1\n \tc: 2", "the line is indented by a tab", 3),
        ("a: 1\nb: 2\nc: x\x07y", r"the character U\+0007 is not allowed", 3),
        ("a: 1\n\0", r"the character U\+0000 is not allowed", 2),
    ],
)
def test_what_is_not_plain_is_refused_with_its_line(text: str, law: str, line: int) -> None:
    with pytest.raises(InputError, match=law) as caught:
        parse(text, "study.yaml")
    assert caught.value.place == f"study.yaml:{line}"


def test_alias_repeats_the_value_of_its_anchor() -> None:
    assert parse("a: &x [1, 2]\nb: *x", "file").value == {"a": [1, 2], "b": [1, 2]}


def test_alias_inside_of_its_own_anchor_is_refused() -> None:
    with pytest.raises(InputError, match="alias"):
        parse("a: &x [1, *x]", "file")


def test_origin_of_an_unknown_path_is_that_of_the_nearest_value_around_it() -> None:
    document = parse("a:\n  b:\n    c: 1", "file")
    assert document.origin(("a", "b", "c")) == "file:3"
    assert document.origin(("a", "b", "x", 3)) == "file:2"


def test_text_of_a_number_is_what_its_author_wrote() -> None:
    document = parse("lr: [2e-5, 1.0]", "file")
    assert [document.text(("lr", i), value) for i, value in enumerate(document.value["lr"])] == ["2e-5", "1.0"]


def test_key_text_joins_keys_by_dots_and_shows_positions_in_brackets() -> None:
    assert key_text(("axes", "vision.resize", 2)) == "axes.vision.resize[2]"


@pytest.mark.parametrize(
    ("data", "law"),
    [
        ("a: 1".encode("utf-16"), "must be text in UTF-8, but is UTF-16"),
        (b"a: 1\nb: caf\xe9", "must be text in UTF-8, but line 2 has the byte 0xe9"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "is a pointer of Git LFS"),
        (b"<!DOCTYPE html><html></html>", "is an HTML page"),
    ],
)
def test_a_file_of_another_kind_is_named_for_what_it_is(tmp_path: Path, data: bytes, law: str) -> None:
    file = tmp_path / "study.yaml"
    file.write_bytes(data)
    with pytest.raises(InputError, match=law) as caught:
        read(file)
    assert caught.value.place == str(file)


def test_an_empty_file_has_its_place(tmp_path: Path) -> None:
    file = tmp_path / "study.yaml"
    file.write_text("# nothing\n")
    assert (read(file).value, read(file).origin(())) == (None, str(file))
