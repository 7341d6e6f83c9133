"""What the questions of each benchmark tell of the arms, for reports: counts, and doubtful labels with their images."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from orchestrator.analysis.informative import Informative
from orchestrator.analysis.item_analysis import KINDS, Kind, Suspect
from orchestrator.analysis.judged_questions import JudgedQuestions
from search_spaces.plan import Plan
from search_spaces.quantities import number_of
from search_spaces.spec import BenchmarkSpec, PixelSpec
from trainables.storage.store import Store

SHOWN = 6
"""Suspected labels of each benchmark that a report shows; `ablate questions` has all."""

NOTE = (
    "Whether a question tells better arms from worse is its correlation, over trials, with the score on all other "
    "questions. Labels are worth a look where the best arms agree on one answer that counts as wrong; a hard question "
    "looks the same, and so does what all arms have learnt from the same data."
)


@dataclass(frozen=True)
class SuspectQuestion:
    """A question whose label may be wrong, as a person is to look at it."""

    suspect: Suspect
    prompt: str | None
    """The question and the label are None where the prepared data are no longer on storage."""
    label: str | None
    image_bytes: bytes | None
    """The file as it was prepared."""
    pixels: PixelSpec | None
    """How it becomes pixels; None without an image."""


@dataclass(frozen=True)
class BenchmarkQuestions:
    """The questions of one benchmark in numbers, and those worth a look."""

    benchmark: str
    n: int
    n_arms: int
    n_trials: int
    counts: dict[Kind, int]
    """Kind -> questions."""
    n_suspects: int
    suspects: tuple[SuspectQuestion, ...]
    """The likeliest first, at most six."""
    no_witnesses: str | None
    """Why no label could be doubted."""
    informative: Informative | None
    not_informative: str | None


Describe = Callable[[str, Sequence[Suspect]], Iterable[SuspectQuestion]]
"""From a benchmark and suspects to what a person sees of them."""


def report_questions(judged: Iterable[JudgedQuestions], describe: Describe) -> tuple[BenchmarkQuestions, ...]:
    """Sum up the questions of every benchmark that could be judged.

    Args:
        judged: benchmark by benchmark.
        describe: adds question, label and image to suspects (`describe_from_storage`, for a study).
    """
    summaries = (_summary(questions, describe) for questions in judged)
    return tuple(summary for summary in summaries if summary is not None)


def describe_from_storage(plan: Plan, store: Store) -> Describe:
    """Make the function that adds question, label and image to the suspects of a study, from its prepared data."""
    specs = {benchmark.id: benchmark for benchmark in plan.benchmarks}
    return lambda benchmark, suspects: with_images(suspects, specs[benchmark], store)


def _summary(judged: JudgedQuestions, describe: Describe) -> BenchmarkQuestions | None:
    analysis = judged.analysis
    if analysis is None:
        return None
    return BenchmarkQuestions(
        judged.benchmark,
        len(analysis.ids),
        analysis.n_arms,
        analysis.n_trials,
        {kind: analysis.count(kind) for kind in KINDS},
        len(judged.suspects),
        tuple(describe(judged.benchmark, judged.suspects[:SHOWN])),
        judged.no_witnesses,
        judged.informative,
        judged.not_informative,
    )


def with_images(suspects: Sequence[Suspect], spec: BenchmarkSpec, store: Store) -> Iterator[SuspectQuestion]:
    """Add the question, the label and the image to each suspect, where the prepared data are whole on storage.

    Args:
        suspects: questions of the benchmark.
        spec: of the benchmark.
        store: where its prepared data lie.
    """
    from orchestrator.reporting.asked_questions import (
        asked_questions,
    )  # Arrow, which a report that is kept does not need

    asked = asked_questions(spec, [suspect.id for suspect in suspects], store)
    for suspect in suspects:
        question = asked.get(suspect.id)
        if question is None:
            yield SuspectQuestion(suspect, None, None, None, None)
        else:
            yield SuspectQuestion(suspect, question.prompt, question.reference, question.image_bytes, question.pixels)


def silent_sentence(questions: BenchmarkQuestions) -> str:
    """State how many questions can tell arms apart at all."""
    counts: Mapping[Kind, int] = questions.counts
    silent = counts["nobody"] + counts["everybody"]
    share = f"{100 * silent / questions.n:.0f} %"
    return (
        f"{questions.benchmark}: {silent:,} of {number_of(questions.n, 'question')} ({share}) cannot tell the "
        f"{number_of(questions.n_arms, 'arm')} apart: all trials score alike on {counts['everybody']:,}, and 0 on "
        f"{counts['nobody']:,}. {counts['telling']:,} tell better arms from worse more clearly than chance, "
        f"{counts['reversed']:,} the wrong way round."
    )


def suspects_sentence(questions: BenchmarkQuestions) -> str:
    """State how many labels are worth a look, or why none could be doubted."""
    if questions.no_witnesses is not None:
        return f"No label is doubted: {questions.no_witnesses}."
    if not questions.n_suspects:
        return "No label is doubted: the best arms agree on no answer that scores 0."
    verb = "label is" if questions.n_suspects == 1 else "labels are"
    return f"{questions.n_suspects:,} {verb} worth a look, the likeliest first."


def suspect_sentence(suspect: Suspect) -> str:
    """State who says what against the label."""
    n = len(suspect.agreeing)
    who = f"all {n} best arms" if n == suspect.n_good else f"{n} of the {suspect.n_good} best arms"
    return f"{who} say {suspect.answer!r}; the other arms score {suspect.others:.2f}"


def informative_sentence(questions: BenchmarkQuestions) -> str:
    """State what the questions that were chosen are worth, seen with arms that did not choose them."""
    if questions.informative is None:
        return f"No questions were chosen that tell arms apart: {questions.not_informative}."
    check, n = questions.informative.check, len(questions.informative.ids)
    others = f"{number_of(check.n_arms, 'arm')} that had no part in choosing"
    if check.worth <= 1:
        return f"{n:,} questions chosen by their discrimination tell {others} apart no better than any others."
    return (
        f"A question of the {n:,} that tell arms apart best is worth {check.worth:.1f} of all: the error "
        f"of a difference, by its size, is {check.error:.2f} of what as many at random have. Among {others}, the "
        f"ranking agrees with that by all questions to a tau of {check.tau:.2f} (at random {check.tau_at_random:.2f})."
    )
