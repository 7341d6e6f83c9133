"""The note of a study fits MLflow however large the study is, and tells what was excluded."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from markdown_it import MarkdownIt

from orchestrator.tracking.study_note import study_note
from search_spaces.plan import Exclusion, Plan
from tests.support.small_plans import small_plan

WRITTEN = datetime(2026, 11, 30, 9, 5, tzinfo=UTC)


def test_the_note_says_when_it_was_written_in_utc() -> None:
    elsewhere = WRITTEN.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert "This note was written 2026-11-30 09:05 UTC." in study_note(small_plan(), elsewhere)


def test_note_of_a_large_study_fits_and_keeps_the_commands() -> None:
    plan = small_plan(resolutions=tuple(range(8, 4008, 8)))
    note = study_note(plan, WRITTEN)
    assert len(note) < 8000
    assert "ablate report small" in note
    assert "Does resolution help?" in note
    assert "more, see plan.json" in note


def test_the_note_says_what_costs_are_counted_in() -> None:
    assert "both in core-seconds" in study_note(small_plan(), WRITTEN)


def test_note_tells_what_was_excluded_and_why() -> None:
    plan: Plan = small_plan()
    excluded = (Exclusion("resolution=8px", "smaller than a | patch"),)
    assert r"| resolution=8px | not run: smaller than a \| patch | |" in study_note(
        Plan(**{**vars(plan), "excluded": excluded}), WRITTEN
    )


def test_text_of_a_study_is_no_html_and_no_link_in_its_note() -> None:
    plan = small_plan()
    hostile = "<img src=x onerror=alert(1)> [a](javascript:alert(1)) | b"
    excluded = (Exclusion(hostile, hostile),)
    note = study_note(Plan(**{**vars(plan), "excluded": excluded, "question": f"{hostile}\n<b>"}), WRITTEN)
    tokens = MarkdownIt("commonmark", {"html": True}).enable("table").parse(note)
    kinds = {kind.type for token in tokens for kind in (token, *(token.children or ()))}
    assert kinds.isdisjoint({"html_inline", "html_block", "link_open", "image"})
