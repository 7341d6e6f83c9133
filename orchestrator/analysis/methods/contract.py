"""What every statistical method states, whether it judges a study or a table of scores.

A method is a module of this folder with a `METHOD`, and its name and line in `registry`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, Literal, TypeVar

from orchestrator.analysis.look_history import History
from orchestrator.analysis.score_table import ScoreTable
from orchestrator.analysis.study_scores import StudyScores
from orchestrator.analysis.verdict_model import Refusal, Unit, Verdict
from orchestrator.analysis.verdict_sentences import refusal_sentence
from search_spaces.study import Hypothesis

Need = Literal["examples", "seeds"]
Results = TypeVar("Results")


@dataclass(frozen=True)
class StudyResults:
    """Scores per example of arms with seeds: what a study on storage has shown so far, or a table of items."""

    scored: StudyScores
    seed_sd: float | None
    """Standard deviation of an arm's score over seeds that is assumed, in points."""
    draws_images: bool = True
    """Whether the image part of every error is checked by 2,000 draws of images, which takes most of the time."""
    histories: Mapping[str, History] = field(default_factory=dict)
    """Id of a hypothesis -> earlier looks at its results; none of tables."""


@dataclass(frozen=True)
class Question:
    """A hypothesis, and the benchmarks that it is about."""

    hypothesis: Hypothesis
    benchmarks: tuple[str, ...]


@dataclass(frozen=True)
class Judged:
    """What a method says of all questions together."""

    verdicts: tuple[Verdict, ...]
    """In the order of the questions. Arms that cannot be compared are `undecided` without an effect; never an error."""
    notes: tuple[str, ...]
    """What holds for all of them."""


@dataclass(frozen=True)
class Method(Generic[Results]):
    """A statistical method: its name, what it takes, and its function from results and questions to verdicts."""

    name: str
    needs: frozenset[Need]
    """What it takes from results beside one score for each cell."""
    unit: Unit
    """Of its effects."""
    level: float
    """Of its intervals, 0 to 1."""
    judge: Callable[[Results, Sequence[Question]], Judged]
    outside_all: frozenset[str] = frozenset()
    """Benchmarks that `on: all` does not stand for."""


StudyMethod = Method[StudyResults]
TableMethod = Method[ScoreTable]


def refused_verdict(method: Method[Results], question: Question, refusal: Refusal) -> Verdict:
    """Record that a method did not compare the arms of a question.

    Args:
        method: that judges.
        question: that it was asked.
        refusal: why the arms are not compared.
    """
    hypothesis = question.hypothesis
    return Verdict(
        id=hypothesis.id,
        claim=hypothesis.claim,
        expect=hypothesis.expect,
        verdict="undecided",
        holds=None,
        scope="checkpoints",
        method=method.name,
        pairs=hypothesis.pairs,
        benchmarks=question.benchmarks,
        effect=None,
        unit=method.unit,
        interval=None,
        level=method.level,
        margin=hypothesis.margin,
        p=None,
        p_adjusted=None,
        n_seeds=0,
        n_examples=0,
        n_pairs=len(hypothesis.pairs),
        n_cells=0,
        reasons=refusal.reasons,
        sentence=refusal_sentence(refusal),
    )
