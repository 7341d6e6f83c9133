"""Open the questions of a benchmark for a trial, and score its answers to them. No torch."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from search_spaces.spec import BenchmarkSpec
from trainables.benchmarks.contract import Example, Protocol, Row
from trainables.benchmarks.model_text import MODEL_TEXTS
from trainables.benchmarks.registry import is_evaluation
from trainables.benchmarks.scoring import score_example
from trainables.data.prepared import PreparedSource
from trainables.evaluation.answer_log import Answer
from trainables.evaluation.closed_answers import open_closed
from trainables.evaluation.selected_examples import open_examples


@dataclass(frozen=True)
class Questions:
    """Examples of a benchmark, in its order, with the protocol that scores them."""

    examples: tuple[Example, ...]
    image_rows: tuple[int, ...]
    """Row of each example's image in its source; -1 where there is none."""
    protocol: Protocol
    is_blank: bool = False
    """Whether a blank image is shown in the place of every image."""
    warnings: tuple[str, ...] = ()
    """What a reader of their scores must know."""

    def rows(self, answers: Sequence[Answer]) -> list[Row]:
        """Score every answer; one row per example, in the same order."""
        return [self._row(example, answer) for example, answer in zip(self.examples, answers, strict=True)]

    def _row(self, example: Example, answer: Answer) -> Row:
        if isinstance(answer, str):
            return score_example(self.protocol, example, MODEL_TEXTS[self.protocol.model_text](answer))
        options = self.protocol.options(example)
        likelihoods = dict(zip(options, answer, strict=True))
        return score_example(self.protocol, example, _likeliest(likelihoods), likelihoods)


def _likeliest(likelihoods: Mapping[str, float]) -> str:
    """Choose the likeliest option, the first of equals; none where a likelihood is no number, as nothing ranks then."""
    if any(map(math.isnan, likelihoods.values())):
        return ""
    return max(likelihoods, key=likelihoods.__getitem__)


def open_questions(benchmark: BenchmarkSpec, source: PreparedSource) -> Questions:
    """Open the questions of a benchmark. Raises InputError where its data do not hold them."""
    if is_evaluation(benchmark.source):
        selected = open_examples(benchmark, source)
        return Questions(tuple(selected.examples), tuple(selected.image_rows), selected.protocol)
    return Questions(*open_closed(benchmark, source))


def units(protocol: Protocol, metrics: Mapping[str, float]) -> dict[str, str]:
    """Name the units of those metrics that are not in points."""
    return {name: protocol.unit(name) for name in metrics if protocol.unit(name) != "points"}
