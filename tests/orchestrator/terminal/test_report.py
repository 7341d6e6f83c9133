"""The report on a terminal: a table of many benchmarks keeps to short cells."""

from __future__ import annotations

from orchestrator.reporting.build import build_report
from orchestrator.terminal.report import to_terminal
from tests.support.stored_studies import answers, finish_trial, study_of, two_stage_plan
from tests.support.terminal_text import shown
from trainables.storage.store import LocalStore


def test_only_the_mean_of_many_benchmarks_has_its_interval(store: LocalStore) -> None:
    for benchmarks, has_limits in ((("a", "b"), True), (("a", "b", "c", "d", "e", "f"), False)):
        plan = two_stage_plan((64, 32), (7,), benchmarks)
        for trial in plan.trials:
            finish_trial(store, plan, trial, dict.fromkeys(benchmarks, answers(0.5)))
        report = build_report(study_of(), plan, store)
        text = shown(lambda console, report=report: to_terminal(report, console), width=300)
        (base,) = [line for line in text.splitlines() if line.strip().startswith("base ")]
        assert base.count(" to ") == (3 if has_limits else 1)
        assert ("Intervals of single benchmarks are in the report as html" in text) is not has_limits
