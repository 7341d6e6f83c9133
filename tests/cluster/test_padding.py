"""Claims about cluster/padding.py: the positions that the product's own micro-batches compute, on assumed lengths."""

from __future__ import annotations

import numpy as np
import pytest

from cluster.memory import sequence
from cluster.padding import SPREAD, padding
from search_spaces.resource_spec import ResourceSpec
from search_spaces.spec import PackingSpec
from tests.support.sized_stages import SIZE_7B, sized_stage
from trainables.data.batches import micro_batches

MEAN, LONGEST = 256, 2048


def _computed_per_needed(micro: int, workers: int) -> float:
    """Count the positions that workers compute, or wait for, in 200 global batches, for each that they need."""
    draws = np.random.default_rng(7)
    texts = np.minimum(LONGEST, draws.lognormal(np.log(MEAN) - SPREAD**2 / 2, SPREAD, (200, 128)))
    taken = 0
    for lengths in texts:
        rows = np.argsort(lengths)
        of_ranks = [micro_batches(rows, rank, workers, micro) for rank in range(workers)]
        for batches in zip(*of_ranks, strict=True):
            longest = max(lengths[batch].max() for batch in batches)
            taken += workers * micro * sequence(SIZE_7B, round(longest))
    return float(taken / (sequence(SIZE_7B, 0) * texts.size + texts.sum()))


@pytest.mark.parametrize(("micro", "workers"), [(16, 8), (8, 8), (4, 8), (2, 8), (8, 1)])
def test_the_estimate_is_what_the_products_micro_batches_take(micro: int, workers: int) -> None:
    estimate = padding(SIZE_7B, sized_stage(), ResourceSpec(workers=workers, micro_batch=micro), MEAN, LONGEST)
    assert estimate == pytest.approx(_computed_per_needed(micro, workers), rel=0.06)


def test_packed_rows_count_as_full() -> None:
    packed = sized_stage(packing=PackingSpec(tokens=4096))
    assert padding(SIZE_7B, packed, ResourceSpec(workers=8), MEAN, LONGEST) == 1


def test_texts_of_one_length_need_no_padding() -> None:
    assert padding(SIZE_7B, sized_stage(), ResourceSpec(workers=8, micro_batch=16), MEAN, longest=1) == 1
