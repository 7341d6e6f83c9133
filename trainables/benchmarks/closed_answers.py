"""Benchmarks with a closed answer set: the model ranks the answers, the right one scores 1."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from search_spaces.errors import InputError
from search_spaces.spec import BenchmarkSpec
from trainables.data.draws import generator
from trainables.data.prepared import PreparedSource


@dataclass(frozen=True)
class Example:
    """One question. `image_row` is -1 where there is no image."""

    id: str
    cluster: str
    """The image: examples of one image are not independent."""
    image_row: int
    question: str
    answer: str


@dataclass(frozen=True)
class ClosedAnswers:
    """The examples of a benchmark and the answers to choose from, sorted."""

    examples: tuple[Example, ...]
    answers: tuple[str, ...]

    def majority(self) -> float:
        """Score (0-100) of always giving the most frequent right answer."""
        ((_, count),) = Counter(example.answer for example in self.examples).most_common(1)
        return 100 * count / len(self.examples)


def open_benchmark(benchmark: BenchmarkSpec, source: PreparedSource) -> ClosedAnswers:
    """Select the benchmark's examples. Raises InputError if none is left or if an answer is not among the options."""
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
    examples = tuple(_example(source, row) for row in rows)
    answers = benchmark.answers or tuple(sorted({example.answer for example in examples}))
    unknown = sorted({example.answer for example in examples} - set(answers))
    if unknown:
        raise InputError(
            f"`answers` must hold every right answer, but {unknown[0]!r} is not among them",
            key=f"benchmarks.{benchmark.id}.answers",
        )
    return ClosedAnswers(examples, answers)


def _example(source: PreparedSource, row: int) -> Example:
    (*_, (question, answer)) = source.turns(row)
    image_row = int(source.image_rows[row])
    cluster = source.image_key(image_row) if image_row >= 0 else source.id(row)
    return Example(source.id(row), cluster, image_row, question, answer)
