"""Realise data mixes: draw, with a seed and exact counts, the records of each source that a stage trains on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, assert_never

import numpy as np

from search_spaces.errors import InputError
from search_spaces.identity import source_name
from search_spaces.spec import MixPart, MixSpec
from search_spaces.steps import Modalities, drawn_records
from trainables.data.prepared import PreparedSource
from trainables.draws import generator

Rows = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True)
class Mix:
    """Records of a mix as (source, row) pairs; a record that a part repeats is there several times."""

    sources: tuple[PreparedSource, ...]
    names: tuple[str, ...]
    """Digest name of each source."""
    source: Rows
    row: Rows
    counts: dict[str, int]
    """Realised records per source name."""
    left_out: dict[str, int]
    """Records per source name that are dropped because their images are lost; sources without any are not named."""

    def __len__(self) -> int:
        return len(self.row)

    def has_image(self) -> np.ndarray[Any, np.dtype[np.bool_]]:
        return self.of_records([source.image_rows >= 0 for source in self.sources])

    def characters(self) -> Rows:
        """Count the characters of each record's text."""
        return self.of_records([source.characters() for source in self.sources]).astype(np.int64)

    def of_records(self, columns: Sequence[np.ndarray[Any, Any]]) -> np.ndarray[Any, Any]:
        """Gather a column of the mix from the columns of its sources, given in the order of `sources`."""
        values = np.empty(len(self), columns[0].dtype)
        for number, column in enumerate(columns):
            chosen = self.source == number
            values[chosen] = column[self.row[chosen]]
        return values


def realise(mix: MixSpec, prepared: Mapping[str, PreparedSource], seed: int) -> Mix:
    """Draw the records of a mix.

    A fraction or count is drawn with the mix's own seed, the same for every trial, unless the mix has
    `resample: per-seed`.

    Args:
        mix: parts, each of a source, with what is dropped, drawn and repeated of it.
        prepared: sources by digest name.
        seed: the trial's seed; used for `resample: per-seed` only.

    Raises:
        InputError: a part needs more records than there are, or no record is left.
    """
    names = tuple(dict.fromkeys(source_name(part.source) for part in mix.parts))
    number = {name: i for i, name in enumerate(names)}
    chosen_source, chosen_row, counts = [], [], dict.fromkeys(names, 0)
    for position, part in enumerate(mix.parts):
        name = source_name(part.source)
        draw_seed = (mix.draw_seed, position, _resampling_seed(mix, seed))
        rows = np.tile(_draw(part, prepared[name], draw_seed), part.repeat)
        chosen_source.append(np.full(len(rows), number[name], np.int64))
        chosen_row.append(rows)
        counts[name] += len(rows)
    source, row = np.concatenate(chosen_source), np.concatenate(chosen_row)
    if not len(row):
        raise InputError("a mix must hold at least one record, but every record was dropped", key=f"mixes.{mix.name}")
    left_out = {name: prepared[name].left_out for name in names if prepared[name].left_out}
    return Mix(tuple(prepared[name] for name in names), names, source, row, counts, left_out)


def _resampling_seed(mix: MixSpec, seed: int) -> int:
    match mix.resample:
        case "never":
            return -1
        case "per-seed":
            return seed
        case _:
            assert_never(mix.resample)


def _draw(part: MixPart, source: PreparedSource, draw_seed: tuple[int, int, int]) -> Rows:
    """Draw the rows of a source that a part takes, sorted: of each modality exactly as many as the plan has counted."""
    rows = np.flatnonzero(~source.has_tag(part.drop)) if part.drop else np.arange(len(source))
    has_image = source.image_rows[rows] >= 0
    sizes = drawn_records(part, Modalities(int(has_image.sum()), int((~has_image).sum())))
    chance = generator("mix", *draw_seed)
    taken = [
        of_modality if size == len(of_modality) else chance.choice(of_modality, size, replace=False)
        for of_modality, size in ((rows[has_image], sizes.image), (rows[~has_image], sizes.text))
    ]
    return np.sort(np.concatenate(taken))
