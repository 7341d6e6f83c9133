"""Plan the records of each optimizer step: a function of (seed, epoch) and the data alone, never of hardware.

A global batch holds one modality. Its rows are cut into micro-batches for ranks only afterwards, so another number of
workers sees the same steps. The last, smaller batch of a modality is filled with rows of no weight: every rank makes
equally many calls, every record counts once per epoch.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from trainables.draws import generator

FILLER = -1
"""Row of a batch that stands for no record: zero loss weight."""

Rows = np.ndarray[Any, np.dtype[np.int64]]


class BatchPlan:
    """Plan of the global batches of a stage.

    Args:
        has_image: one entry per record of the mix.
        lengths: size of each record's text in any unit; rows of a batch are sorted by it, to pad less.
        global_batch: records of one optimizer step.
        seed: the trial's seed and the stage's name: arms see their data in the same order.
    """

    def __init__(
        self, has_image: np.ndarray[Any, np.dtype[np.bool_]], lengths: Rows, global_batch: int, seed: str
    ) -> None:
        self._modalities = [rows for rows in (np.flatnonzero(has_image), np.flatnonzero(~has_image)) if len(rows)]
        self._has_image, self._lengths = has_image, lengths
        self._global_batch = global_batch
        self._seed = seed
        self.steps_per_epoch = sum(-(-len(rows) // global_batch) for rows in self._modalities)
        self._epoch = lru_cache(maxsize=2)(self._plan_epoch)

    def batch(self, step: int) -> Rows:
        """Return the rows of optimizer step `step` (from 0), longest text first; `FILLER` pads a smaller batch."""
        epoch, index = divmod(step, self.steps_per_epoch)
        return self._epoch(epoch)[index]

    def heaviest(self, steps: range) -> int:
        """Return the step that takes the most memory: with images, if there are any, and with the longest text."""

        def weight(step: int) -> tuple[bool, int]:
            longest = self.batch(step)[0]
            return bool(self._has_image[longest]), int(self._lengths[longest])

        return max(steps, key=weight)

    def _plan_epoch(self, epoch: int) -> list[Rows]:
        batches: list[Rows] = []
        for number, rows in enumerate(self._modalities):
            order = generator("order", self._seed, epoch, number).permutation(rows)
            batches += [self._fill(order[i : i + self._global_batch]) for i in range(0, len(order), self._global_batch)]
        return [batches[i] for i in generator("batches", self._seed, epoch).permutation(len(batches))]

    def _fill(self, rows: Rows) -> Rows:
        ordered = rows[np.argsort(-self._lengths[rows], kind="stable")]
        return np.concatenate([ordered, np.full(self._global_batch - len(ordered), FILLER, np.int64)])


def micro_batches(batch: Rows, rank: int, world: int, micro_batch: int) -> list[Rows]:
    """Split a global batch into the micro-batches of one rank.

    Rows go to the ranks in turn, so that at any moment all ranks work on texts of about the same length.

    Args:
        batch: rows of the mix, `FILLER` included; a multiple of `world * micro_batch` of them.
        rank: the rank to split for, from 0 to `world - 1`.
        world: number of ranks.
        micro_batch: rows of one forward pass on one rank.
    """
    return [
        batch[start + rank : start + world * micro_batch : world] for start in range(0, len(batch), world * micro_batch)
    ]
