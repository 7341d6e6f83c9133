"""Collect how a trial's benchmarks were asked, for its model card."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from search_spaces.identity import source_name
from search_spaces.spec import BenchmarkSpec
from trainables.evaluation.asking import Asked, ask, placeholder
from trainables.evaluation.questions import open_questions
from trainables.storage import layout
from trainables.storage.store import Store
from trainables.task import TrialTask
from trainables.trial_data import TrialData

_EXAMPLE = Asked("What is in the image?", (), 64)
"""What the usage asks where a trial has answered nothing freely."""


@dataclass(frozen=True)
class CardQuestion:
    """A question of a benchmark, as the trial was asked it."""

    benchmark: BenchmarkSpec
    example: str
    """Id of the example."""
    asked: Asked


def card_questions(task: TrialTask, data: TrialData, store: Store) -> list[CardQuestion]:
    """Put the first question of every benchmark and sample whose data are on storage.

    Args:
        task: the trial.
        data: its prepared sources.
        store: storage that may hold them.
    """
    questions = []
    for benchmark in (*task.benchmarks, *task.samples):
        if store.exists(layout.data_records(task.digests[source_name(benchmark.source)])):
            opened = open_questions(benchmark, data.source(benchmark.source))
            example = placeholder(opened.examples)
            questions.append(CardQuestion(benchmark, example.id, ask(opened.protocol, example)))
    return questions


def usage_question(questions: Iterable[CardQuestion]) -> Asked:
    """Choose the question of the usage: the first that is answered freely."""
    return next((question.asked for question in questions if not question.asked.options), _EXAMPLE)
