"""Answers stand side by side where arms differ."""

from __future__ import annotations

import pyarrow as pa

from orchestrator.reporting.build import build_report
from orchestrator.reporting.html import to_html
from tests.support.html_page import Page
from tests.support.report_cases import CLAIMS, finished
from tests.support.stored_studies import replace_examples, study_of, two_stage_plan
from trainables.storage.store import LocalStore


def test_answers_stand_side_by_side_where_arms_differ(store: LocalStore) -> None:
    samples = finished(store).samples
    assert {sample.benchmark for sample in samples} == {"shape", "colour"}
    first = samples[0]
    assert set(first.answers) == {"base", "resolution=32px", "resolution=16px"}
    assert len({score for _, score in first.answers.values()}) == 2
    assert first.answers["base"][0] in ("yes", "no")
    assert first.prompt is None


def test_answers_come_with_their_question_where_the_examples_have_it(store: LocalStore) -> None:
    finished(store)

    def with_questions(table: pa.Table) -> pa.Table:
        questions = pa.array([f"What is in {image}?" for image in table["cluster"].to_pylist()])
        return table.append_column("prompt", questions)

    for path in store.root.glob("evaluations/*/*.parquet"):
        replace_examples(store, path, with_questions)
    report = build_report(study_of(*CLAIMS), two_stage_plan(seeds=(7, 8, 9)), store)
    assert report.samples[0].prompt == f"What is in {report.samples[0].image}?"
    assert str(report.samples[0].prompt) in Page(to_html(report)).text
