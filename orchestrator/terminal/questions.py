"""What the questions of a study tell of its arms, on a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.text import Text

from orchestrator.analysis.judged_questions import JudgedQuestions
from orchestrator.reporting.questions import (
    BenchmarkQuestions,
    informative_sentence,
    silent_sentence,
    suspect_sentence,
    suspects_sentence,
)


def questions_to_terminal(
    questions: Sequence[BenchmarkQuestions], judged: Iterable[JudgedQuestions], console: Console
) -> None:
    """Print the counts of every benchmark, the labels that are worth a look, and the choice with its check.

    Args:
        questions: those that could be judged.
        judged: all, for the reasons of the others.
        console: to print on.
    """
    for benchmark in questions:
        console.print(Text(silent_sentence(benchmark)))
        console.print(Text(f"  {suspects_sentence(benchmark)}"))
        for question in benchmark.suspects:
            prompt = f": {question.prompt}" if question.prompt is not None else ""
            label = f"label {question.label!r}; " if question.label is not None else ""
            image = f" (image {question.suspect.image})" if question.suspect.image != question.suspect.id else ""
            console.print(Text(f"  - {question.suspect.id}{image}{prompt}"))
            console.print(Text(f"    {label}{suspect_sentence(question.suspect)}", style="dim"))
        console.print(Text(f"  {informative_sentence(benchmark)}\n"))
    reasons = [f"{unjudged.benchmark}: {unjudged.reason}." for unjudged in judged if unjudged.reason is not None]
    for line in reasons if questions or reasons else ["Nothing is scored yet."]:
        console.print(Text(line))
