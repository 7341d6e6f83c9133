"""Open benchmarks with a closed set of answers: the model ranks them, and no code per benchmark is needed."""

from __future__ import annotations

from search_spaces.errors import InputError
from search_spaces.spec import BenchmarkSpec
from trainables.benchmarks.contract import Example, Parsed, Protocol
from trainables.benchmarks.scorers.summaries import accuracy
from trainables.data.prepared import PreparedSource
from trainables.draws import generator
from trainables.evaluation.chosen_rows import chosen_rows


def open_closed(
    benchmark: BenchmarkSpec, source: PreparedSource
) -> tuple[tuple[Example, ...], tuple[int, ...], Protocol]:
    """Select examples, with the rows of their images (-1: none) and the protocol that ranks the answers.

    Examples that were chosen by their ids have the options of the whole set, so that each is answered as it is there.
    Raises InputError if no example is left, or if an answer is not among the options.
    """
    rows = list(range(len(source))) if benchmark.select is None else source.rows_with(benchmark.select)
    if benchmark.sample is not None and benchmark.sample < len(rows):
        chosen = generator("sample", benchmark.id, benchmark.sample).choice(len(rows), benchmark.sample, replace=False)
        rows = [rows[i] for i in sorted(chosen)]
    if not rows:
        raise InputError(
            f"a benchmark must have at least one example, but none of {benchmark.source.declared} has the tag"
            f" {benchmark.select!r}",
            key=f"benchmarks.{benchmark.id}",
        )
    answers = benchmark.answers or tuple(sorted({_example(source, row).reference for row in rows}))
    rows = chosen_rows(benchmark, source, rows)
    examples = tuple(_example(source, row) for row in rows)
    unknown = sorted({example.reference for example in examples} - set(answers))
    if unknown:
        raise InputError(
            f"`answers` must hold every right answer, but {unknown[0]!r} is not among them",
            key=f"benchmarks.{benchmark.id}.answers",
        )
    return examples, tuple(int(source.image_rows[row]) for row in rows), protocol_of(answers)


def protocol_of(answers: tuple[str, ...]) -> Protocol:
    """Make the protocol that ranks answers by likelihood; the record's own scores 1."""
    return Protocol(
        about="the likeliest of a closed set of answers must be the record's own",
        prompt=lambda example: example.question,
        parse=lambda output, example: Parsed(output, ok=output in answers),
        score=lambda parsed, example: float(parsed.value == example.reference),
        summarise=accuracy,
        options=lambda example: answers,
    )


def _example(source: PreparedSource, row: int) -> Example:
    (*_, (question, answer)) = source.turns(row)
    image_row = int(source.image_rows[row])
    image = source.image_key(image_row) if image_row >= 0 else None
    return Example(source.id(row), image or source.id(row), image, question, reference=answer)
