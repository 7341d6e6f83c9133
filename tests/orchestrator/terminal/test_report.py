"""The report on a terminal: a table of many benchmarks keeps to short cells, one of many arms to the best."""

from __future__ import annotations

import pytest

from orchestrator.reporting.build import build_report
from orchestrator.terminal import report as report_view
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


def test_table_of_many_arms_has_the_base_and_the_best(store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report_view, "MOST_ROWS", 3)
    plan = two_stage_plan((64, 32, 16, 8, 128), (7,), ("a",))
    accuracies = dict(zip(dict.fromkeys(trial.arm for trial in plan.trials), (0.1, 0.2, 0.9, 0.3, 0.8), strict=True))
    for trial in plan.trials:
        finish_trial(store, plan, trial, {"a": answers(accuracies[trial.arm])})
    report = build_report(study_of(), plan, store)
    text = shown(lambda console: to_terminal(report, console), width=300)
    table = text[text.index("arm ") : text.index("- 3 of 5 arms: the base and those with the highest scores")]
    arms = list(accuracies)
    assert [arm for arm in arms if f"{arm} " in table] == [arms[0], arms[2], arms[4]]
