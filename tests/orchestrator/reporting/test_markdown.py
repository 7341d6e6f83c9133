"""Markdown begins with the verdicts."""

from __future__ import annotations

from orchestrator.reporting.markdown import to_markdown
from tests.support.report_cases import finished
from trainables.storage.store import LocalStore


def test_markdown_begins_with_the_verdicts(store: LocalStore) -> None:
    text = to_markdown(finished(store))
    assert text.index("- **holds**: Small pictures hide shapes.") < text.index("## Arms by benchmarks")
