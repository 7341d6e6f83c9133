"""Measure what padding costs, and what packing saves: ``python -m measurements.padding [--records N] [--study NAME]``.

Positions that a step computes for each position that its records need, over an epoch: padded micro-batches of several
sizes, packed rows of several lengths. Lengths of texts are log-normal, like those of instruction data (mean 256 tokens,
99th percentile at 870 and at 1,600), beside images of 576 tokens; a twentieth of the records has no image. With
`--study` they are those of a shipped study: of the last stage of its base, in its own tokens and global batches.
"""

from __future__ import annotations

import argparse
import math
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from scipy.optimize import brentq

from measurements.cost import told_cost
from measurements.quickstart_trial import base_task
from trainables.data.batches import FILLER, BatchPlan, Rows, micro_batches
from trainables.data.packs import pack
from trainables.storage.store import LocalStore
from trainables.trial_data import StageData, TrialData

GLOBAL_BATCH, IMAGE_TOKENS, LONGEST, MEAN = 128, 576, 2048, 256
WORKERS = 8
"""Each computes its share of a step; all wait for the one with most positions."""

Steps = Sequence[Rows]
"""Records of each step."""

TAILS = (870, 1_600)
MICRO_BATCHES = (16, 8, 4, 2, 1)
ROWS = (2_625, 4_096, 8_192, 16_384)
"""Positions; the first is the longest record."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--study", help="a shipped study, whose data are prepared in a temporary folder")
    given = parser.parse_args()
    if given.study is not None:
        _print_study(given.study)
        return
    for tail in TAILS:
        has_image, lengths = _drawn(given.records, tail)
        plan = BatchPlan(has_image, lengths, GLOBAL_BATCH, "padding")
        positions = 1 + IMAGE_TOKENS * has_image + lengths
        print(
            f"{given.records:,} records, mean {lengths.mean():.0f} tokens, 99 % below {np.quantile(lengths, 0.99):.0f}:"
        )
        _print_layouts(_steps(plan), positions, MICRO_BATCHES, ROWS)


def _print_study(name: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        task = base_task(Path(folder), study=name)
        data, stage = TrialData(task, LocalStore(Path(folder))), task.trial.stages[-1]
        of_stage, language = StageData(data, task, stage, use_features=False), task.trial.language
        mix, style = of_stage.mix, stage.prompt or language.prompt
        turns = (mix.sources[source].turns(int(row)) for source, row in zip(mix.source, mix.row, strict=True))
        lengths = np.array([len(data.tokenizer.encode_turns(style, each, language.max_length)[0]) for each in turns])
        positions = 1 + task.trial.vision.tokens * mix.has_image() + lengths
        print(
            f"{name}: {len(lengths):,} records, mean {lengths.mean():.1f} tokens, 99 % below"
            f" {np.quantile(lengths, 0.99):.0f}, {task.trial.vision.tokens} visual ones; {stage.global_batch} a step:"
        )
        sizes = [micro for micro in MICRO_BATCHES if stage.global_batch % (WORKERS * micro) == 0]
        longest = int(positions.max())
        _print_layouts(_steps(of_stage.plan), positions, sizes, (longest, 2 * longest, 4 * longest))


def _steps(plan: BatchPlan) -> Steps:
    """List the records of the steps of an epoch."""
    return [plan.batch(step) for step in range(plan.steps_per_epoch)]


def _print_layouts(steps: Steps, positions: Rows, sizes: Sequence[int], rows: Sequence[int]) -> None:
    for micro in sizes:
        _print(f"micro-batch {micro}", steps, positions, [_padded(step, positions, micro) for step in steps])
    _print("padding dropped", steps, positions, [_dropped(step, positions) for step in steps])
    for row in rows:
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


def _print(what: str, steps: Steps, positions: Rows, computed: Sequence[tuple[int, int]]) -> None:
    needed = sum(int(positions[step[step != FILLER]].sum()) for step in steps)
    everywhere, slowest = (sum(part) for part in zip(*computed, strict=True))
    print(
        f"  {what}: {everywhere / needed:.2f} positions for one; by the slowest worker {WORKERS * slowest / needed:.2f}"
    )


if __name__ == "__main__":
    with told_cost():
        main()
