"""Questions and answers are shown as text: what is in them does nothing to the terminal."""

from __future__ import annotations

import base64
import io
import re
from dataclasses import replace

import numpy as np
from PIL import Image
from rich.console import Console

from orchestrator.analysis.stored_answers import Answer, AnswerFilter, StoredAnswers, stored_answers
from orchestrator.reporting.asked_questions import AskedQuestion
from orchestrator.reporting.shown_answers import ShownAnswers
from orchestrator.state.ledger import read_ledger
from orchestrator.terminal.answers import answers_to_terminal
from search_spaces.spec import PixelSpec
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


def test_a_picture_stands_below_its_path_where_the_terminal_shows_it(store: LocalStore) -> None:
    plan = two_stage_plan((64,), (7,), ("shape",))
    for trial in plan.trials:
        finish_trial(store, plan, trial, {"shape": np.array([0.0, 1.0])})
    (answers,) = stored_answers(plan, store, read_ledger(plan, store), AnswerFilter())
    answers = replace(answers, ids=answers.ids[:1])
    image = io.BytesIO()
    Image.new("RGB", (600, 300), (200, 30, 30)).save(image, "PNG")
    question = AskedQuestion("Which color?", "red", "a.png", None, image.getvalue(), PixelSpec())
    for protocol, begins in (("kitty", "\x1b_Ga=T,f=100"), ("iterm2", "\x1b]1337;File="), (None, "  Which color?")):
        file = io.StringIO()
        shown = ShownAnswers(answers, {answers.ids[0]: question})
        answers_to_terminal(shown, "", Console(file=file, width=200, markup=False, highlight=False), protocol)  # type: ignore[arg-type]  # of the loop
        assert file.getvalue().splitlines()[3].startswith(begins)
    sent = base64.b64decode("".join(re.findall(r"\x1b_G[^;]*;([^\x1b]*)", _printed(answers, question))))
    assert Image.open(io.BytesIO(sent)).size == (240, 120)


def _printed(answers: StoredAnswers, question: AskedQuestion) -> str:
    file = io.StringIO()
    answers_to_terminal(ShownAnswers(answers, {answers.ids[0]: question}), "", Console(file=file, width=200), "kitty")
    return file.getvalue()
