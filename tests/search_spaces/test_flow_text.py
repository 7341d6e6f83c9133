"""Values are written on one line as their author wrote them, and read back as the same values."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search_spaces.flow_text import flow_text, plain_value
from search_spaces.yaml_source import parse

TEXTS = st.text(st.characters(max_codepoint=0xFFFF, exclude_categories=["Cs"]), max_size=8)
SCALARS = st.one_of(TEXTS, st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.booleans())
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3))


@given(VALUES)
def test_what_is_written_is_read_back(value: object) -> None:
    assert parse(f"- {flow_text([value])}", "text").value[0] == [value]


def test_numbers_keep_their_authors_words() -> None:
    document = parse("a: [1e-5, 0.10]", "file")
    assert flow_text(document.value, document) == "{a: [1e-5, 0.10]}"


@pytest.mark.parametrize(("text", "value"), [("1e-4", 1e-4), ("4", 4), ("yes", "yes"), ("[1", "[1"), ("010", "010")])
def test_plain_value_reads_a_text_without_its_quotes(text: str, value: object) -> None:
    assert plain_value(text) == value
