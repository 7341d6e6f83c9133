"""Keep lengths of texts in tokens on storage, as `ablate data stats` measures them, and look them up for a plan.

They hold for a source, a tokenizer and a prompt style, while the files of neither change. What does not hold any more
counts as not measured.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, RootModel

from cluster.padding import MeasuredTexts
from search_spaces.errors import InputError
from search_spaces.identity import TRAINER_VERSION, fingerprint, source_name, weights_name
from search_spaces.spec import LanguageSpec, MixPart, MixSpec, PromptStyle, SourceSpec
from search_spaces.steps import TEXT_ONLY, Modalities, mix_modalities
from trainables.storage import layout
from trainables.storage.record_files import read_or_drop, write
from trainables.storage.store import Store

Histogram = tuple[tuple[int, int], ...]
"""Pairs of a length in tokens and the number of records that are so long, ascending."""


@dataclass(frozen=True)
class SourceLengths:
    """Lengths of the texts of a source in the tokens of a tokenizer, not cut at any length."""

    signature: str
    """Digest of what must be unchanged for them to hold (`lengths_signature`)."""
    records: int
    """Of the source, as counted."""
    text_only: int
    with_image: Histogram
    """Of the records with an image that were looked at."""
    without_image: Histogram


class KnownTextLengths(RootModel[dict[str, SourceLengths]]):
    """`text-lengths.json`: lengths by source, prompt style and tokenizer (`lengths_name`)."""

    model_config = ConfigDict(frozen=True)


def lengths_name(source: SourceSpec, language: LanguageSpec, style: PromptStyle) -> str:
    """Return the name under which the lengths of a source's texts are kept."""
    return f"{source_name(source)} in {style} by {tokenizer_name(language)}"


def tokenizer_name(language: LanguageSpec) -> str:
    """Name a tokenizer by what lengths follow from: the words of a vocabulary change none."""
    if language.tokenizer.kind == "checkpoint" and language.checkpoint is not None:
        return weights_name(language.checkpoint)
    return language.tokenizer.kind


def lengths_signature(source: SourceSpec, language: LanguageSpec, data_root: Path) -> str | None:
    """Compute the digest of what lengths of texts follow from; None where source or tokenizer are not on this machine.

    That is the place and options of the source, the names, sizes and times of change of its files and of the
    tokenizer's, and the version of the trainer, which renders prompts. Nothing is read, fetched or generated.

    Args:
        source: whose texts they are.
        language: with the tokenizer.
        data_root: folder in which relative paths of sources and weights start.
    """
    from trainables.data.files import stats
    from trainables.data.readers import READERS

    tokenizer = tokenizer_files(language, data_root)
    if tokenizer is None:
        return None
    try:
        files = READERS[source.reader](source, data_root).signature()
    except (InputError, OSError):
        return None
    place = source.model_dump(mode="json", include={"reader", "path", "image_folder", "options"})
    return fingerprint(
        {
            "source": {**place, "root": str(data_root) if source.path else None},
            "files": files,
            "tokenizer": [tokenizer_name(language), *stats(tokenizer)],
            "trainer_version": TRAINER_VERSION,
        }
    )


def tokenizer_files(language: LanguageSpec, data_root: Path) -> list[Path] | None:
    """List the files that a tokenizer is read from; none where it is built, None where they are not on this machine."""
    from trainables.model.weights import local_weights, weight_files

    if language.tokenizer.kind != "checkpoint" or language.checkpoint is None:
        return []
    path = local_weights(language.checkpoint, data_root)
    return None if path is None else weight_files(path)


def remember_lengths(store: Store, measured: Mapping[str, SourceLengths]) -> None:
    """Keep measured lengths on storage, by `lengths_name`, in the place of earlier ones of the same names."""
    if measured:
        write(store, layout.TEXT_LENGTHS, KnownTextLengths({**_known(store), **measured}))


def _known(store: Store) -> dict[str, SourceLengths]:
    consequence = "lengths of texts are assumed until `ablate data stats` measures them again"
    known = read_or_drop(store, layout.TEXT_LENGTHS, KnownTextLengths, consequence)
    return {} if known is None else known.root


class MeasuredMixes:
    """Lengths of the texts of mixes, from those of their sources that storage has and that still hold."""

    def __init__(self, store: Store, data_root: Path) -> None:
        self._known, self._data_root = _known(store), data_root
        self._current: dict[str, SourceLengths | None] = {}
        self._mixes: dict[object, MeasuredTexts | None] = {}

    def texts(self, mix: MixSpec, language: LanguageSpec, style: PromptStyle) -> MeasuredTexts | None:
        """Look up the lengths of the records with images of a mix, or of its others where none has an image.

        Args:
            mix: what a stage trains on.
            language: with the tokenizer.
            style: of the prompts.

        Returns:
            None where a source was not measured or has changed since, and where a part leaves out a tag, whose
            records may be longer or shorter than the others.
        """
        if not self._known:
            return None
        parts = tuple((lengths_name(part.source, language, style), _taken(part)) for part in mix.parts)
        if parts not in self._mixes:
            self._mixes[parts] = self._mixed(mix, language, style)
        return self._mixes[parts]

    def _mixed(self, mix: MixSpec, language: LanguageSpec, style: PromptStyle) -> MeasuredTexts | None:
        with_image, without_image = defaultdict[int, float](float), defaultdict[int, float](float)
        for part in mix.parts:
            lengths = self._of_source(part.source, language, style)
            taken = None if lengths is None else _part_records(part, lengths)
            if lengths is None or taken is None:
                return None
            _add(with_image, lengths.with_image, taken.image)
            _add(without_image, lengths.without_image, taken.text)
        weights = with_image or without_image
        return MeasuredTexts.of(weights) if weights else None

    def _of_source(self, source: SourceSpec, language: LanguageSpec, style: PromptStyle) -> SourceLengths | None:
        name = lengths_name(source, language, style)
        if name not in self._current:
            known = self._known.get(name)
            holds = known is not None and known.signature == lengths_signature(source, language, self._data_root)
            self._current[name] = known if holds else None
        return self._current[name]


def _taken(part: MixPart) -> tuple[object, ...]:
    return part.fraction, part.count, part.repeat, part.drop


def _part_records(part: MixPart, lengths: SourceLengths) -> Modalities | None:
    """Count the records that a part takes of its source; None where lengths of these are not known."""
    if set(part.drop) - {TEXT_ONLY, *part.source.without}:
        return None
    counts: dict[str, Any] = {"records": lengths.records, "text_only": lengths.text_only, "images": None, "tags": {}}
    mix = MixSpec(name=part.source.name, parts=(part,))
    try:
        return mix_modalities(mix, {source_name(part.source): counts})
    except InputError:  # more than there are: a run says so
        return None


def _add(weights: defaultdict[int, float], histogram: Histogram, records: int) -> None:
    """Add so many records that are as long as those of a histogram."""
    looked_at = sum(number for _, number in histogram)
    for length, number in histogram if records else ():
        weights[length] += records * number / looked_at
