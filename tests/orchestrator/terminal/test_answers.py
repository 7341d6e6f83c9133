"""Questions and answers are shown as text: what is in them does nothing to the terminal."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
from rich.console import Console

from orchestrator.analysis.stored_answers import Answer, AnswerFilter, stored_answers
from orchestrator.reporting.asked_questions import AskedQuestion
from orchestrator.reporting.shown_answers import ShownAnswers
from orchestrator.state.ledger import read_ledger
from orchestrator.terminal.answers import answers_to_terminal
from tests.support.stored_studies import finish_trial, two_stage_plan
from trainables.storage.store import LocalStore


def test_control_characters_and_lines_of_texts_are_escaped(store: LocalStore) -> None:
    plan = two_stage_plan((64,), (7,), ("shape",))
    for trial in plan.trials:
        finish_trial(store, plan, trial, {"shape": np.array([0.0, 1.0])})
    (answers,) = stored_answers(plan, store, read_ledger(plan, store), AnswerFilter())
    said = (Answer("base", 7, "red\x1b]0;title\x07\nbase", 1.0),)
    answers = replace(answers, ids=answers.ids[:1], _answers={answers.ids[0]: said})
    question = AskedQuestion("Which?\nA. red\x1b[2J", "red\r", None, None, None, None)
    file = io.StringIO()
    shown = ShownAnswers(answers, {answers.ids[0]: question})
    answers_to_terminal(shown, "", Console(file=file, width=200, markup=False, highlight=False))
    assert file.getvalue().splitlines() == [
        "shape: 2 of 2 questions, the first 1 of them",
        "",
        "q0000   (no picture)",
        r"  Which?\nA. red\x1b[2J   right: red\r",
        r"    base  red\x1b]0;title\x07\nbase (1)",
    ]
