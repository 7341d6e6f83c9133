"""Compute the best score that a protocol gives to any answer: what a perfect model gets on these references."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from search_spaces.errors import InputError
from search_spaces.quantities import number_of
from trainables.benchmarks.contract import Example, Protocol, Row
from trainables.benchmarks.scorers.instructions import LETTERS

_ENOUGH = 0.67
"""What VQA's rule gives at most to three references: with fewer than four it cannot be used."""


def perfect_answers(protocol: Protocol, example: Example) -> list[str]:
    """List texts among which is a best answer to a question: a protocol's options, or what its reference says.

    Of several people's answers every one is listed; of a box its forms in pixels and from 0 to 1; of a choice its
    letter and its text.
    """
    options = protocol.options(example)
    return list(dict.fromkeys(options or _of_reference(example)))


def _of_reference(example: Example) -> Iterator[str]:
    reference = example.reference
    if isinstance(reference, dict):
        if "box" in reference:
            yield from box_texts(reference["box"], reference["size"])
            return
        reference = reference.get("answer", reference.get("answers", ("",)))  # open prompts: "" makes nothing up
    if isinstance(reference, bool):
        yield from ("True", "Yes") if reference else ("False", "No")
    elif isinstance(reference, int):
        if reference < len(example.options):
            yield from (LETTERS[reference], example.options[reference])
        yield str(reference)
    elif isinstance(reference, str):
        yield reference
    else:
        yield from reference


def box_texts(box: Sequence[float], size: Sequence[float]) -> Iterator[str]:
    """Write a box in all its forms: from 0 to 1 in full and with two decimals, in thousandths, in pixels."""
    shares = [number / size[n % 2] for n, number in enumerate(box)]
    for numbers in (shares, [round(share, 2) for share in shares], [1000 * share for share in shares], box):
        yield json.dumps(list(numbers))


def best_row(protocol: Protocol, example: Example) -> Row:
    """Score the best of the perfect answers to a question."""
    best: Row | None = None
    for text in perfect_answers(protocol, example):
        parsed = protocol.parse(text, example)
        row = Row(example, text, parsed, protocol.score(parsed, example))
        if best is None or row.score > best.score:
            best = row
        if best.score == 1:
            break
    return best or Row(example, "", protocol.parse("", example), 0.0)


def best_reachable(protocol: Protocol, examples: Sequence[Example]) -> dict[str, float]:
    """Compute the metrics of a perfect model on these references."""
    return protocol.summarise([best_row(protocol, example) for example in examples]).metrics


def check_reachable(protocol: Protocol, name: str, examples: Sequence[Example]) -> None:
    """Check that some answer can get more than two thirds of the marks; else a score says nothing of a model.

    Args:
        protocol: scores the answers.
        name: of the protocol.
        examples: of a benchmark; those after the first that passes are not looked at.

    Raises:
        InputError: there is no such example, as where every question has one reference and the rule compares several.
    """
    best = 0.0
    for example in examples:
        best = max(best, best_row(protocol, example).score)
        if best > _ENOUGH:
            return
    if examples:
        raise InputError(
            f"the references must let some answer be right, but under {name} the best answer to"
            f" {number_of(len(examples), 'example')} gets {100 * best:.0f} of 100",
            key="protocol",
            way_out="VQA's rule needs four references or more: fewer are scored by the family vqa. Else take another"
            " protocol.",
        )
