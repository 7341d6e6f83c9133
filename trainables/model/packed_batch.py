"""Lay records of any lengths one after the other in one row, without padding and without attention across them.

Every record keeps its own form `[BOS] [image] [text]`, and its positions count from 0. Transformers takes a row whose
positions restart, and that has no attention mask, for several sequences: flash attention then runs its kernel for
sequences of several lengths, all others get a mask of blocks.

Shapes: L positions of the row, S positions of visual tokens, N positions that predict a target token, K records with an
image, P feature positions of the grid, C feature width.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from trainables.model.moved_batch import MovedBatch
from trainables.model.tokenizer import IGNORE

Numbers = np.ndarray[Any, np.dtype[np.int64]]


class Text(NamedTuple):
    """Text of a record."""

    ids: Numbers
    """Without BOS."""
    labels: Numbers
    """Of the same tokens; `IGNORE` where a token is no target."""
    has_image: bool
    draw: int
    """Seed of the record's dropout (`dropout.record_draws`)."""


@dataclass(frozen=True)
class PackedBatch(MovedBatch):
    """Row of records with and without images.

    `features_KPC` are the encoder's cached output; where they are None, `image_KCHW` goes through the encoder. Both are
    None in a row without images.
    """

    ids_L: Tensor
    """At visual tokens the id of BOS, whose embedding is replaced."""
    positions_L: Tensor
    """Position within the record, from 0."""
    visual_S: Tensor
    """Index in the row of each visual token, record by record."""
    predicting_N: Tensor
    """Index in the row of each position that predicts a target token."""
    targets_N: Tensor
    draws_L: Tensor
    """Seed of the record's dropout, at each of its positions."""
    image_KCHW: Tensor | None = None
    features_KPC: Tensor | None = None


def pack_row(
    texts: Sequence[Text], bos: int, visual_tokens: int, image_KCHW: Tensor | None, features_KPC: Tensor | None
) -> PackedBatch:
    """Lay records one after the other in a row.

    Args:
        texts: texts of the records; without any, the row is one BOS that predicts nothing.
        bos: id of the token that every record begins with.
        visual_tokens: visual tokens of an image.
        image_KCHW: pixels of the records that have an image, in their order; None where features are given, or none.
        features_KPC: cached features of the same.
    """
    ids: list[Numbers] = []
    positions: list[Numbers] = []
    draws: list[Numbers] = []
    visual, predicting, targets = [_NONE], [_NONE], [_NONE]
    start = 0
    for text in texts or (_NO_RECORD,):
        images = visual_tokens if text.has_image else 0
        length = 1 + images + len(text.ids)
        ids += [np.full(1 + images, bos), text.ids]
        positions.append(np.arange(length))
        draws.append(np.full(length, text.draw))
        visual.append(start + 1 + np.arange(images))
        is_target = text.labels != IGNORE
        predicting.append(start + images + np.flatnonzero(is_target))  # text token t stands at 1 + images + t
        targets.append(text.labels[is_target])
        start += length
    return PackedBatch(
        _joined(ids),
        _joined(positions),
        _joined(visual),
        _joined(predicting),
        _joined(targets),
        _joined(draws),
        image_KCHW,
        features_KPC,
    )


def _joined(parts: list[Numbers]) -> Tensor:
    return torch.from_numpy(np.concatenate(parts))


_NONE: Numbers = np.zeros(0, np.int64)
_NO_RECORD = Text(_NONE, _NONE, has_image=False, draw=0)
