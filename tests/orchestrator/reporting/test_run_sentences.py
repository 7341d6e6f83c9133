"""Claims about orchestrator/reporting/run_sentences.py: what runs took beside what was expected of them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrator.reporting.build import build_report
from orchestrator.reporting.forms import FORMS, Form
from orchestrator.reporting.report_model import Report
from orchestrator.reporting.run_sentences import SHOWN_RUNS, run_lines
from tests.support.report_cases import CLAIMS, finished
from tests.support.stored_studies import study_of, two_stage_plan
from trainables.storage import layout
from trainables.storage.record_files import write
from trainables.storage.records import Expected, RunForecast, RunRecord, RunUsage
from trainables.storage.store import LocalStore

PLAN = two_stage_plan(seeds=(7, 8, 9))
FORECAST = RunForecast(
    9, "2 CPU", Expected(600.0, 120.0, 3000.0), Expected(1200.0, 240.0, 6000.0), {"assumed": 0.75, "measured": 0.25}
)
RECORD = RunRecord("n1", "login1", 7, "ada@login1", 1_790_000_000_000, "ablate run", forecast=FORECAST)


def report_with(store: LocalStore, *records: RunRecord) -> Report:
    finished(store)
    for record in records:
        write(store, layout.run_record(PLAN.study, record.nonce), record)
    return build_report(study_of(*CLAIMS), PLAN, store)


def test_a_run_on_cpus_is_told_beside_what_was_expected_and_on_what_that_rested(store: LocalStore) -> None:
    report = report_with(store, replace(RECORD, usage=RunUsage(9, 480.0, 900.0)))
    (line,) = run_lines(report)
    assert line == (
        "Run of 2026-09-21 14:13 UTC (9 trials; 2 CPU): 8 min where 10 min (2 min to 50 min) were expected when it "
        "began, and 15 core-minutes where 20 core-minutes (4 core-minutes to 1.67 core-hours). This rested on 75% "
        "assumed speeds and 25% stages and scores that were done before."
    )


def test_a_run_that_ended_early_says_how_many_of_its_trials_were_done(store: LocalStore) -> None:
    (line,) = run_lines(report_with(store, replace(RECORD, usage=RunUsage(4, 200.0, 380.0))))
    assert "(4 of 9 trials were done; 2 CPU)" in line


def test_runs_that_go_on_or_were_killed_or_have_done_no_trial_are_not_compared(store: LocalStore) -> None:
    in_vain = replace(RECORD, nonce="n3", usage=RunUsage(0, 5.0, 5.0))
    assert run_lines(report_with(store, RECORD, replace(RECORD, nonce="n2", forecast=None), in_vain)) == []


def test_the_last_runs_are_told_the_oldest_first(store: LocalStore) -> None:
    records = [
        replace(RECORD, nonce=f"n{i}", began=RECORD.began + 60_000 * i, usage=RunUsage(9, 100.0 + i, 180.0))
        for i in range(7)
    ]
    lines = run_lines(report_with(store, *reversed(records)))
    assert len(lines) == SHOWN_RUNS
    assert "14:15" in lines[0]
    assert "14:19" in lines[-1]


@pytest.mark.parametrize("form", ["html", "md", "json"])
def test_the_comparison_is_in_the_report(form: Form, store: LocalStore) -> None:
    report = report_with(store, replace(RECORD, usage=RunUsage(9, 480.0, 900.0)))
    assert ("3000.0" if form == "json" else run_lines(report)[0]) in FORMS[form](report)
