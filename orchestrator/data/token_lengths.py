"""Measure how long the texts of a source are in the tokens of the language models that a study trains on them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from orchestrator.data.targets import Target
from orchestrator.planning.text_lengths import (
    Histogram,
    SourceLengths,
    lengths_name,
    lengths_signature,
    tokenizer_name,
)
from search_spaces.errors import InputError
from search_spaces.identity import source_name
from search_spaces.spec import LanguageSpec, PromptStyle
from trainables.data.pace import Progress
from trainables.data.record import Record
from trainables.data.survey import distribution
from trainables.storage.records import Counts

_MOST_RECORDS = 16_384
"""Records that are tokenised: their 99th percentile stands on some hundred, and a fast tokenizer takes seconds."""
_UNCUT = 1 << 40
"""Tokens: longer than any text, as each model cuts at a length of its own."""


class EvenSample:
    """Sample of records, spread evenly over a source whose length is not known before its end."""

    def __init__(self, most: int = _MOST_RECORDS) -> None:
        self._most, self._stride, self._seen = most, 1, 0
        self.records: list[Record] = []
        """Every first, second, fourth, ... record: at most `most`, and more than half as many if there are."""

    def add(self, record: Record) -> None:
        """Keep the record if its turn has come."""
        if self._seen % self._stride == 0:
            self.records.append(record)
            if len(self.records) > self._most:
                self.records, self._stride = self.records[::2], 2 * self._stride
        self._seen += 1


@dataclass(frozen=True)
class TokenLengths:
    """Lengths of the texts of a source, as one tokenizer and one prompt style make them."""

    tokenizer: str
    prompt: PromptStyle
    looked_at: int
    """Records, spread evenly over the source."""
    tokens: Mapping[str, int] | None
    """Of a record, uncut: `least`, `median`, `p90`, `p99`, `most`; None where they cannot be measured."""
    note: str | None
    """Why they cannot be measured, or are not kept on storage."""


class Use(NamedTuple):
    """A language model that reads a source, and the form in which it does."""

    language: LanguageSpec
    style: PromptStyle


def uses_of(target: Target) -> dict[str, Use]:
    """List the tokenizers and prompt styles with which stages of a study train on a source, by `lengths_name`."""
    if target.plan is None:
        return {}
    name, seen, uses = source_name(target.source), set[tuple[int, int]](), dict[str, Use]()
    for trial in target.plan.trials:
        language = trial.spec.language
        for stage in trial.spec.stages:
            if (id(stage), id(language)) in seen:  # trials share specs
                continue
            seen.add((id(stage), id(language)))
            if any(source_name(part.source) == name for part in stage.data.parts):
                use = Use(language, stage.prompt or language.prompt)
                uses.setdefault(lengths_name(target.source, *use), use)
    return uses


def measure_lengths(
    target: Target, counts: Counts, sample: EvenSample, root: Path, progress: Progress
) -> tuple[list[TokenLengths], dict[str, SourceLengths]]:
    """Measure the lengths of a source's texts for each tokenizer and prompt style of its study.

    Args:
        target: the source, with the plan of the study.
        counts: of the source.
        sample: of its records.
        root: folder in which relative paths of sources and weights start.
        progress: told how many texts were tokenised.

    Returns:
        What people are told, and what is kept on storage, by `lengths_name`.
    """
    told, kept = list[TokenLengths](), dict[str, SourceLengths]()
    for name, use in uses_of(target).items():
        signature, tokenizer = lengths_signature(target.source, use.language, root), tokenizer_name(use.language)
        try:
            if signature is None:
                raise InputError(f"not measured, as the tokenizer of {use.language.name} is not on this machine")
            with_image, without_image = _histograms(use, sample, root, progress)
        except InputError as error:
            told.append(TokenLengths(tokenizer, use.style, 0, None, error.law))
            continue
        lengths = list((with_image + without_image).elements())
        told.append(TokenLengths(tokenizer, use.style, len(lengths), distribution(lengths), None))
        histograms = _ascending(with_image), _ascending(without_image)
        kept[name] = SourceLengths(signature, counts.records, counts.text_only, *histograms)
    return told, kept


def _histograms(use: Use, sample: EvenSample, root: Path, progress: Progress) -> tuple[Counter[int], Counter[int]]:
    """Count the sampled records with an image, and those without, by their tokens.

    Raises:
        InputError: the tokenizer cannot be loaded, or has no such prompts.
    """
    from trainables.model.tokenizer import build_tokenizer
    from trainables.model.weights import local_weights

    is_of_checkpoint = use.language.tokenizer.kind == "checkpoint" and use.language.checkpoint is not None
    path = local_weights(str(use.language.checkpoint), root) if is_of_checkpoint else None
    tokenizer = build_tokenizer(use.language, lambda: (), path)  # the words of a vocabulary change no length
    with_image, without_image = Counter[int](), Counter[int]()
    for number, record in enumerate(sample.records, 1):
        tokens = len(tokenizer.encode_turns(use.style, record.turns, _UNCUT)[0])
        (without_image if record.image is None else with_image)[tokens] += 1
        progress.at("texts", number, len(sample.records))
    return with_image, without_image


def _ascending(counted: Counter[int]) -> Histogram:
    return tuple(sorted(counted.items()))
