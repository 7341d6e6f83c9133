"""Text of users stays text in Markdown: whatever it holds, a reader finds no HTML, no link and no other block."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from orchestrator.reporting.markdown_text import cell, inline, line
from tests.support.broken_inputs import tries

MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable("table")
LIVE = {"html_inline", "html_block", "link_open", "image", "heading_open", "bullet_list_open", "ordered_list_open"}
WORDS = r"< > script / ! [ ]( ][ ]: javascript:alert(1) http://x.y \ ` | = --- a &lt; &#60; <!-- <a ![a](b)"
PIECES = st.lists(
    st.sampled_from([*WORDS.split(), " ", "\n", "# ", "- ", "1. ", "> ", "\u2028"]),
    max_size=12,
).map("".join)


def live(markdown: str) -> set[str]:
    tokens = MARKDOWN.parse(markdown)
    return {kind.type for token in tokens for kind in (token, *(token.children or ()))} & LIVE


@tries("text in Markdown", few=300)
@given(PIECES)
def test_text_is_neither_html_nor_link_nor_block(text: str) -> None:
    assert live(f"so: {inline(text)}") == set()
    assert live(line(text)) == set()


@tries("cells of Markdown", few=300)
@given(PIECES)
def test_a_cell_is_one_cell_of_one_row(text: str) -> None:
    tokens = MARKDOWN.parse(f"| a | b |\n|---|---|\n| {cell(text)} | end |")
    assert [token.type for token in tokens].count("tr_open") == 2
    assert [token.type for token in tokens].count("td_open") == 2
    row = [token.content for token in tokens if token.type == "inline"]
    assert row[-1] == "end"


@pytest.mark.parametrize("text", ["p < 0.05", "a & b", "1 of 2", "[1.0, 2.0]", "3 * 4", "snake_case", "x=1"])
def test_usual_text_is_left_as_it_is(text: str) -> None:
    assert inline(text) == cell(text) == line(text) == text
