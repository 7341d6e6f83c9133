"""Score by VQA's soft accuracy.

For each reference in turn, an answer gets a third for every *other* reference that equals it, at most 1; the score is
the mean over the references. "Other" is by position: programs that compare the entries themselves let equal entries
drop one another, and give ten times "yes" a 0.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from trainables.benchmarks.contract import Example, Parsed, Protocol, Row, Summary, of_one_kind
from trainables.benchmarks.scorers.summaries import accuracy_by

Normaliser = Callable[[str], str]
References = Callable[[Sequence[str]], Sequence[str]]


def soft_accuracy(answer: str, references: Sequence[str], mean: Callable[[list[float]], float] | None = None) -> float:
    """Compute VQA's soft accuracy of an answer, 0 to 1.

    Args:
        answer: the normalised prediction.
        references: the normalised references; none give 0.
        mean: over the references; by default Python's left-to-right sum divided by the count.
    """
    return _of_matches(tuple([reference == answer for reference in references]), mean or _plain_mean)


@lru_cache(1 << 14)
def _of_matches(matches: tuple[bool, ...], mean: Callable[[list[float]], float]) -> float:
    if not matches:
        return 0.0
    total = sum(matches)
    return float(mean([min(1, float(total - match) / 3) for match in matches]))


def _plain_mean(values: list[float]) -> float:
    return float(sum(values)) / len(values)


def exact_mean(values: list[float]) -> float:
    """Average as lmms-eval does, without rounding on the way."""
    return float(statistics.mean(values))


def soft_protocol(
    about: str,
    prediction: Normaliser,
    references: References,
    prompt: Callable[[Example], str],
    *,
    by: Sequence[str] = (),
    mean: Callable[[list[float]], float] | None = None,
    summarise: Callable[[Sequence[Row]], Summary] | None = None,
    **fields: Any,
) -> Protocol:
    """Make a protocol that normalises prediction and references of an example and compares them.

    Args:
        about: whose protocol it is, and what it does.
        prediction: normalises an output.
        references: normalises all references of an example.
        prompt: the question as the model gets it.
        by: kinds of groups whose accuracies are metrics of their own.
        mean: over the references of an example (`soft_accuracy`).
        summarise: metrics of the rows, in place of the accuracies.
        **fields: further fields of the protocol.
    """

    def parse(output: str, example: Example) -> Parsed:
        return Parsed(prediction(output))

    def score(parsed: Parsed, example: Example) -> float:
        return soft_accuracy(parsed.value, references(_answers(example)), mean)

    return Protocol(about, prompt, parse, score, summarise or accuracy_by(*by), kind=of_one_kind, **fields)


def each(normaliser: Normaliser) -> References:
    """Make a normaliser of references that normalises each of them."""
    return lambda references: [normaliser(reference) for reference in references]


def unless_unanimous(normaliser: Normaliser) -> References:
    """Make a normaliser of references that leaves them alone where all are the same."""
    return lambda references: [normaliser(r) for r in references] if len(set(references)) > 1 else references


def raw(references: Sequence[str]) -> Sequence[str]:
    return references


def _answers(example: Example) -> Sequence[str]:
    """Return the references of an example: its list, or the list `answers` in it."""
    reference = example.reference
    texts: list[str] = reference["answers"] if isinstance(reference, dict) else reference
    return texts
