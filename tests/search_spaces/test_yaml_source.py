"""Claims about reading YAML strictly, with places."""

from __future__ import annotations

import pytest

from search_spaces.errors import InputError
from search_spaces.yaml_source import Document, key_text, merge, parse, place_override


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
        ("010", 10),
        ("0x1F", 31),
        ("1:30", "1:30"),
        ("2024-01-01", "2024-01-01"),
        ("1_000", "1_000"),
        ("'1'", "1"),
    ],
)
def test_plain_scalar_is_read_by_the_core_schema_of_yaml_1_2(text: str, value: object) -> None:
    read = parse(f"key: {text}", "file").value["key"]
    assert read == value
    assert type(read) is type(value)


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


def test_merge_merges_maps_replaces_lists_and_removes_by_null() -> None:
    below = parse("a: {x: 1, y: 2}\nb: [1, 2]\nc: 3\nd: 4", "below")
    above = parse("a: {y: 5}\nb: [9]\nc: null\ne: null", "above")
    merged = merge(below, above)
    assert merged.value == {"a": {"x": 1, "y": 5}, "b": [9], "d": 4, "e": None}
    assert merged.origin(("a", "x")) == "below:1"
    assert merged.origin(("a", "y")) == "above:1"
    assert merged.origin(("b", 0)) == "above:2"


def test_merge_leaves_no_place_of_a_list_that_was_replaced() -> None:
    merged = merge(parse("b:\n - 1\n - 2", "below"), parse("b: [9]", "above"))
    assert merged.origin(("b", 1)) == "above:1"


def _with(document: Document, text: str) -> object:
    return place_override(document, text, name_maps=("axes",)).value


def test_override_is_placed_as_if_it_were_written_in_the_file() -> None:
    document = parse("base: {epochs: 1}\nlist: [{x: 1}]", "file")
    assert _with(document, "base.epochs=2") == {"base": {"epochs": 2}, "list": [{"x": 1}]}
    assert _with(document, "base.new.deep=[1, a]")["base"] == {"epochs": 1, "new": {"deep": [1, "a"]}}  # type: ignore[index]
    assert _with(document, "list.0.x=1e-4")["list"] == [{"x": 1e-4}]  # type: ignore[index]
    assert document.value["base"] == {"epochs": 1}


def test_override_of_a_name_with_dots_finds_it() -> None:
    document = parse("axes: {vision.resize: [crop]}", "file")
    assert _with(document, "axes.vision.resize=[naive]") == {"axes": {"vision.resize": ["naive"]}}
    assert _with(document, "axes.vision.tokens=[1]") == {"axes": {"vision.resize": ["crop"], "vision.tokens": [1]}}


def test_override_is_its_own_place() -> None:
    document = place_override(parse("base: {epochs: 1}", "file"), "base.epochs=2")
    assert document.origin(("base", "epochs")) == "--set base.epochs=2"
    assert document.origin(("base",)) == "file:1"


@pytest.mark.parametrize("text", ["base.epochs", "=3", "list.7=1", "list.x=1"])
def test_override_without_a_place_for_it_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="must"):
        place_override(parse("list: [1]", "file"), text)
