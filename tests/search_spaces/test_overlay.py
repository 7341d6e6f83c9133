"""Claims about merging documents and placing overrides in them."""

from __future__ import annotations

import pytest

from search_spaces.errors import InputError
from search_spaces.overlay import merge, place_override
from search_spaces.yaml_source import Document, parse


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
