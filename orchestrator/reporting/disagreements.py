"""Answers of the arms side by side, where they differ most: what a difference in points looks like.

Questions are chosen, and answers read, from the examples that every evaluation leaves on storage
(`orchestrator.analysis.stored_answers`); questions, right answers and images come from the prepared data. Answers to
the prompts that a study names as its `samples` are another matter: `orchestrator.reporting.open_prompts`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import TYPE_CHECKING

from orchestrator.state.ledger import Ledger
from search_spaces.plan import Plan
from search_spaces.spec import BenchmarkSpec, PixelSpec
from trainables.storage.store import Store

if TYPE_CHECKING:
    from orchestrator.analysis.stored_answers import StoredAnswers
    from orchestrator.analysis.study_scores import StudyScores

logger = logging.getLogger(__name__)

SHOWN_ARMS = 6
"""The base and the arms that follow it in plan order: more do not fit side by side."""
SHOWN = 3
"""Of each benchmark."""
ANSWER_SIZE = 200
"""Characters of an answer that are shown."""


@dataclass(frozen=True)
class Sample:
    """Answers of the arms to one question, side by side, over all of their seeds."""

    benchmark: str
    id: str
    image: str
    """Its name."""
    prompt: str | None
    """None where the prepared data are no longer on storage, as label and image are then."""
    answers: dict[str, tuple[str, float]]
    """Arm -> what it said with most seeds, and its mean score over them, from 0 to 1."""
    label: str | None = None
    """The right answer."""
    image_bytes: bytes | None = None
    """The file as it was prepared."""
    pixels: PixelSpec | None = None
    """How it becomes pixels; None without an image."""


def samples(plan: Plan, store: Store, ledger: Ledger, scored: StudyScores) -> tuple[Sample, ...]:
    """Choose of every benchmark the questions on which the first arms differ, as `ablate answers --differ` does.

    Args:
        plan: whose arms are compared.
        store: where their answers lie.
        ledger: of the plan.
        scored: the scores of the ledger.
    """
    from orchestrator.analysis.stored_answers import (
        AnswerFilter,
        stored_answers,
    )  # Arrow, which a report that is kept does not need

    arms = list(dict.fromkeys(trial.arm for trial in plan.trials))
    specs = {benchmark.id: benchmark for benchmark in plan.benchmarks}
    chosen: list[Sample] = []
    for benchmark in scored.benchmarks:
        with_scores = [arm for arm in arms if scored.scores.seeds(arm, (benchmark,))][:SHOWN_ARMS]
        wanted = AnswerFilter("differ", tuple(with_scores), (benchmark,))
        for answers in stored_answers(plan, store, ledger, wanted, limit=SHOWN) if with_scores else ():
            for line in answers.left_out:
                logger.warning("%s: %s; its answers are not shown", benchmark, line)
            of_benchmark = [_sample(answers, question) for question in answers.ids]
            chosen += with_questions(of_benchmark, specs[benchmark], store)
    return tuple(chosen)


def _sample(answers: StoredAnswers, question: str) -> Sample:
    """Make a sample of what the trials answered to a question."""
    from orchestrator.analysis.stored_answers import answers_by_arm

    said = answers.answers_to(question)
    texts = {arm: next(iter(counted))[0] for arm, counted in answers_by_arm(said).items()}
    means = {arm: fmean(answer.score for answer in said if answer.arm == arm) for arm in texts}
    return Sample(
        benchmark=answers.benchmark,
        id=question,
        image=answers.images[question],
        prompt=None,
        answers={arm: (text[:ANSWER_SIZE], means[arm]) for arm, text in texts.items()},
    )


def with_questions(samples: Sequence[Sample], benchmark: BenchmarkSpec, store: Store) -> Iterator[Sample]:
    """Add question, right answer and image to samples of a benchmark, where its prepared data are on storage.

    Args:
        samples: of the benchmark.
        benchmark: that they are of.
        store: where its prepared data lie.
    """
    from orchestrator.reporting.asked_questions import asked_questions

    asked = asked_questions(benchmark, [sample.id for sample in samples], store)
    for sample in samples:
        question = asked.get(sample.id)
        if question is None:
            yield sample
        else:
            yield replace(
                sample,
                prompt=question.prompt,
                label=question.reference,
                image_bytes=question.image_bytes,
                pixels=question.pixels,
            )
