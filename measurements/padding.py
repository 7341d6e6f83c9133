"""Measure what padding costs, and what packing saves: ``python -m measurements.padding [--records N]``.

Positions that a step computes for each position that its records need, over an epoch: padded micro-batches of several
sizes, packed rows of several lengths. Lengths of texts are log-normal, like those of instruction data (mean 256 tokens,
99th percentile at 870 and at 1,600), beside images of 576 tokens; a twentieth of the records has no image.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterable, Sequence

import numpy as np
from scipy.optimize import brentq

from trainables.data.batches import FILLER, BatchPlan, Rows, micro_batches
from trainables.data.packs import pack

GLOBAL_BATCH, IMAGE_TOKENS, LONGEST, MEAN = 128, 576, 2048, 256
WORKERS = 8
"""Each computes its share of a step; all wait for the one with most positions."""

TAILS = (870, 1_600)
MICRO_BATCHES = (16, 8, 4, 2, 1)
ROWS = (2_625, 4_096, 8_192, 16_384)
"""Positions; the first is the longest record."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=100_000)
    records = parser.parse_args().records
    for tail in TAILS:
        has_image, lengths = _drawn(records, tail)
        plan = BatchPlan(has_image, lengths, GLOBAL_BATCH, "padding")
        steps = [plan.batch(step) for step in range(plan.steps_per_epoch)]
        positions = 1 + IMAGE_TOKENS * has_image + lengths
        print(f"{records:,} records, mean {lengths.mean():.0f} tokens, 99 % below {np.quantile(lengths, 0.99):.0f}:")
        for micro in MICRO_BATCHES:
            _print(f"micro-batch {micro}", steps, positions, [_padded(step, positions, micro) for step in steps])
        _print("padding dropped", steps, positions, [_dropped(step, positions) for step in steps])
        for row in ROWS:
            _print(f"rows of {row:,}", steps, positions, [_packed(step, positions, row) for step in steps])


def _drawn(records: int, tail: int) -> tuple[np.ndarray, Rows]:
    """Draw which records have an image, and their tokens of text: log-normal with the mean and a 99th percentile."""
    sigma = brentq(lambda s: math.log(MEAN) - s * s / 2 + 2.3263 * s - math.log(tail), 0.1, 2.3)
    random = np.random.default_rng(0)
    lengths = random.lognormal(math.log(MEAN) - sigma**2 / 2, sigma, records)
    return random.random(records) < 0.95, np.clip(lengths, 2, LONGEST).astype(np.int64)


def _padded(step: Rows, positions: Rows, micro: int) -> tuple[int, int]:
    """Return the positions of all workers, and of the one with most, when each row is padded to its longest."""
    shares = [_rectangles(micro_batches(step, rank, WORKERS, micro), positions) for rank in range(WORKERS)]
    return sum(shares), max(shares)


def _rectangles(batches: Iterable[Rows], positions: Rows) -> int:
    return sum(len(rows) * int(positions[rows[rows != FILLER]].max(initial=1)) for rows in batches)


def _dropped(step: Rows, positions: Rows) -> tuple[int, int]:
    """Return the positions of all workers, and of the one with most, without any; micro-batches change neither."""
    shares = [micro_batches(step, rank, WORKERS, 1) for rank in range(WORKERS)]
    held = [sum(int(positions[rows[rows != FILLER]].sum()) for rows in share) for share in shares]
    return sum(held), max(held)


def _packed(step: Rows, positions: Rows, row: int) -> tuple[int, int]:
    records = step[step != FILLER].tolist()
    shares = pack(records, positions[records].tolist(), row, WORKERS)
    held = [sum(int(positions[row].sum()) for row in share) for share in shares]
    return sum(held), max(held)


def _print(what: str, steps: Sequence[Rows], positions: Rows, computed: Sequence[tuple[int, int]]) -> None:
    needed = sum(int(positions[step[step != FILLER]].sum()) for step in steps)
    everywhere, slowest = (sum(part) for part in zip(*computed, strict=True))
    print(
        f"  {what}: {everywhere / needed:.2f} positions for one; by the slowest worker {WORKERS * slowest / needed:.2f}"
    )


if __name__ == "__main__":
    main()
