"""Markdown begins with the verdicts."""

from __future__ import annotations

from markdown_it import MarkdownIt

from orchestrator.reporting.markdown import to_markdown
from tests.support.report_cases import finished, hostile
from trainables.storage.store import LocalStore


def test_markdown_begins_with_the_verdicts(store: LocalStore) -> None:
    text = to_markdown(finished(store))
    assert text.index("- **holds**: Small pictures hide shapes.") < text.index("## Arms by benchmarks")


def test_hostile_names_are_neither_html_nor_links(store: LocalStore) -> None:
    text = to_markdown(hostile(store))
    tokens = MarkdownIt("commonmark", {"html": True}).enable("table").parse(text)
    kinds = {kind.type for token in tokens for kind in (token, *(token.children or ()))}
    assert kinds.isdisjoint({"html_inline", "html_block", "link_open", "image"})
    assert "table_open" in kinds
