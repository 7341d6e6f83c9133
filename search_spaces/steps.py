"""Count the records of a mix and the steps of a stage, exactly: fractions are decimal, not binary, numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from typing import Any, get_args

from search_spaces.errors import InputError, nearest
from search_spaces.identity import source_name
from search_spaces.spec import LostImage, MixPart, MixSpec, SourceSpec, StageSpec

TEXT_ONLY = "text-only"
"""Tag that every record without an image carries."""

_LOST = get_args(LostImage)

RealisedCounts = Mapping[str, Mapping[str, Any]]
"""Counts of prepared sources by `identity.source_name`: ``{records, text_only, images, tags: {}}``."""


@dataclass(frozen=True)
class Modalities:
    """Numbers of records with an image and without one. A batch holds records of one modality."""

    image: int
    text: int

    @property
    def records(self) -> int:
        """Number of all records."""
        return self.image + self.text

    def __add__(self, addend: Modalities) -> Modalities:
        return Modalities(self.image + addend.image, self.text + addend.text)


def most_images(source: SourceSpec, realised: RealisedCounts) -> int | None:
    """Count the images of a source, or its records with an image where images are not counted; None if unknown."""
    counts = SourceCounts.of(source, realised)
    if counts is None:
        return source.images
    return counts.records - counts.text_only if counts.images is None else counts.images


@dataclass(frozen=True)
class SourceCounts:
    """Counts of a data source: realised ones or, before its data are there, declared ones."""

    records: int
    text_only: int
    images: int | None
    tags: Mapping[str, int]

    @staticmethod
    def of(source: SourceSpec, realised: RealisedCounts) -> SourceCounts | None:
        """Return the realised counts of a source, else its declared ones, else None."""
        counted = realised.get(source_name(source))
        if counted is not None:
            return SourceCounts(counted["records"], counted["text_only"], counted["images"], counted["tags"])
        if source.records is None:
            return None
        return SourceCounts(source.records, source.text_only_records, source.images, source.tags)


def mix_modalities(mix: MixSpec, realised: RealisedCounts) -> Modalities | None:
    """Count the records of a mix; None while a source's counts are unknown.

    Raises InputError for a mix without records, a part that takes more than there is, and a tag that no record has.
    """
    parts = [_part_modalities(part, realised) for part in mix.parts]
    known = [part for part in parts if part is not None]
    if len(known) < len(parts):
        return None
    total = sum(known, Modalities(0, 0))
    if not total.records:
        raise InputError("a mix must hold at least one record, but every record is dropped")
    return total


def _part_modalities(part: MixPart, realised: RealisedCounts) -> Modalities | None:
    counts = SourceCounts.of(part.source, realised)
    if counts is None:
        return None
    kept = _kept(part, counts)
    if kept is None:
        return None
    taken = drawn_records(part, kept)
    return Modalities(taken.image * part.repeat, taken.text * part.repeat)


def _kept(part: MixPart, counts: SourceCounts) -> Modalities | None:
    """Count the records without dropped tags. Tags are assumed to be disjoint, as in all shipped sources."""
    text = 0 if TEXT_ONLY in part.drop else counts.text_only
    image = counts.records - counts.text_only
    for tag in part.drop:
        if tag == TEXT_ONLY or (tag in _LOST and tag not in counts.tags):  # lost images are known when they are counted
            continue
        if not counts.tags:
            return None
        if tag not in counts.tags:
            legal = [*counts.tags, TEXT_ONLY, *_LOST]
            raise InputError(
                f"drop must name tags of {part.source.name} ({', '.join(legal)}), but got {tag!r}",
                way_out=nearest(tag, legal),
            )
        image -= counts.tags[tag]
    return Modalities(image, text) if image >= 0 else None


def drawn_records(part: MixPart, kept: Modalities) -> Modalities:
    """Count the records that a part of a mix draws, once: the same share of both modalities.

    `kept` are the records without the part's dropped tags. Raises InputError if fewer are left than the part takes.
    """
    if part.count is not None:
        size = part.count
    elif part.fraction is not None:
        size = round(part.fraction * kept.records)
    else:
        return kept
    if size > kept.records:
        raise InputError(
            f"count must be at most the {kept.records:,} records that {part.source.name} has left, but got {size:,}",
            way_out="Use `repeat` to take records several times.",
        )
    text = round(Fraction(size * kept.text, kept.records)) if kept.records else 0
    return Modalities(size - text, text)


def epoch_steps(records: Modalities, global_batch: int) -> int:
    """Count the steps of one epoch: batches are of one modality, and the last, smaller one of each is filled up."""
    return -(-records.image // global_batch) + -(-records.text // global_batch)


def stage_steps(stage: StageSpec, realised: RealisedCounts) -> int | None:
    """Count the steps of a stage; None while its data are unknown. Raises InputError as `mix_modalities` does."""
    records = mix_modalities(stage.data, realised)
    if stage.max_steps is not None:
        return stage.max_steps
    if records is None or stage.epochs is None:
        return None
    return ceil(Fraction(str(stage.epochs)) * epoch_steps(records, stage.global_batch))


def has_approximate_steps(stage: StageSpec, realised: RealisedCounts) -> bool:
    """Check whether a stage's steps follow from rounded counts, or from ones with lost images: data are not counted."""
    rounded = (
        (part.source.approximate or part.source.without) and source_name(part.source) not in realised
        for part in stage.data.parts
    )
    return stage.max_steps is None and any(rounded)


def uncounted_sources(mix: MixSpec, realised: RealisedCounts) -> tuple[str, ...]:
    """List the names of a mix's sources whose counts are unknown."""
    return tuple(sorted({source_name(part.source) for part in mix.parts if _part_modalities(part, realised) is None}))
