"""Answers stand side by side where arms differ."""

from __future__ import annotations

import numpy as np
import pytest

from orchestrator.analysis.stored_answers import AnswerFilter, stored_answers
from orchestrator.reporting.build import build_report
from orchestrator.reporting.disagreements import SHOWN
from orchestrator.state.ledger import read_ledger
from tests.support.report_cases import finished
from tests.support.stored_studies import finish_trial, study_of, two_stage_plan
from trainables.storage.store import LocalStore


def test_answers_stand_side_by_side_where_arms_differ(store: LocalStore) -> None:
    samples = finished(store).samples
    assert {sample.benchmark for sample in samples} == {"shape", "colour"}
    first = samples[0]
    assert set(first.answers) == {"base", "resolution=32px", "resolution=16px"}
    assert len({score for _, score in first.answers.values()}) == 2
    assert first.answers["base"][0] in ("yes", "no")
    assert first.prompt is None


def test_the_report_shows_the_questions_that_the_command_shows_first(store: LocalStore) -> None:
    report, plan = finished(store), two_stage_plan(seeds=(7, 8, 9))
    chosen = stored_answers(plan, store, read_ledger(plan, store), AnswerFilter("differ"), limit=SHOWN)
    assert [(sample.benchmark, sample.id) for sample in report.samples] == [
        (answers.benchmark, question) for answers in chosen for question in answers.ids
    ]


def test_an_arm_has_its_most_frequent_answer_and_its_mean_score_over_seeds(store: LocalStore) -> None:
    plan = two_stage_plan((64, 32), (7, 8, 9), ("shape",))
    for trial in plan.trials:
        scores = [1.0, 1.0, 1.0, 1.0] if trial.arm == "base" else [1.0, 1.0, float(trial.seed == 9), 1.0]
        finish_trial(store, plan, trial, {"shape": np.array(scores)})
    (sample,) = build_report(study_of(), plan, store).samples
    assert sample.id == "q0002"
    base, small = sample.answers.values()
    assert base == ("yes", 1.0)
    assert small == ("no", pytest.approx(1 / 3))
