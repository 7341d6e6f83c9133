"""Batches hold every record once per epoch, never mix modalities, and depend on seed and epoch alone."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from search_spaces.steps import Modalities, epoch_steps
from trainables.data.batches import FILLER, BatchPlan, micro_batches


def _plan(images: int, texts: int, batch: int, seed: str = "7/finetune") -> BatchPlan:
    has_image = np.array([True] * images + [False] * texts)
    lengths = np.arange(images + texts) % 13
    return BatchPlan(has_image, lengths, batch, seed)


@given(
    images=st.integers(0, 70), texts=st.integers(0, 70), batch=st.sampled_from([1, 2, 8, 16]), epoch=st.integers(0, 2)
)
def test_every_record_counts_once_per_epoch_and_no_batch_mixes_modalities(
    images: int, texts: int, batch: int, epoch: int
) -> None:
    if images + texts == 0:
        return
    plan = _plan(images, texts, batch)
    assert plan.steps_per_epoch == -(-images // batch) + -(-texts // batch)
    rows = [plan.batch(epoch * plan.steps_per_epoch + step) for step in range(plan.steps_per_epoch)]
    counted = Counter(int(row) for step in rows for row in step if row != FILLER)
    assert counted == dict.fromkeys(range(images + texts), 1)
    for step in rows:
        kinds = {bool(row < images) for row in step if row != FILLER}
        assert len(step) == batch
        assert len(kinds) == 1


@given(world=st.sampled_from([1, 2, 4]), micro=st.sampled_from([1, 2, 4]))
def test_ranks_and_micro_batches_share_a_global_batch_out_without_loss(world: int, micro: int) -> None:
    batch = _plan(30, 0, 16).batch(0)
    shares = [micro_batches(batch, rank, world, micro) for rank in range(world)]
    assert {len(share) for share in shares} == {16 // (world * micro)}
    assert sorted(int(row) for share in shares for rows in share for row in rows) == sorted(batch.tolist())


@pytest.mark.parametrize("counts", [(7, 3), (17, 1), (10, 0), (40, 20), (1, 0), (0, 1), (0, 9), (16, 16)])
@given(world=st.sampled_from([1, 2, 4, 8]), micro=st.sampled_from([1, 2, 4, 8, 16]), seed=st.text(max_size=4))
def test_any_counts_give_every_rank_equally_many_micro_batches_and_every_record_once(
    counts: tuple[int, int], world: int, micro: int, seed: str
) -> None:
    if 16 % (world * micro):
        return
    plan = _plan(*counts, 16, seed)
    seen: Counter[int] = Counter()
    for step in range(plan.steps_per_epoch):
        shares = [micro_batches(plan.batch(step), rank, world, micro) for rank in range(world)]
        assert {len(share) for share in shares} == {16 // (world * micro)}
        assert {len(rows) for share in shares for rows in share} == {micro}
        seen.update(int(row) for share in shares for rows in share for row in rows if row != FILLER)
    assert seen == dict.fromkeys(range(sum(counts)), 1)
    assert plan.steps_per_epoch == epoch_steps(Modalities(*counts), 16)


def test_lengths_sort_the_rows_of_a_batch_and_choose_none_of_them() -> None:
    has_image = np.array([True] * 50)
    long_last, all_alike = (BatchPlan(has_image, lengths, 16, "7") for lengths in (np.arange(50), np.zeros(50, int)))
    for step in range(2 * long_last.steps_per_epoch):
        rows = long_last.batch(step)
        assert set(rows.tolist()) == set(all_alike.batch(step).tolist())
        assert rows.tolist() == sorted(rows.tolist(), reverse=True)


def test_order_depends_on_seed_and_epoch_alone() -> None:
    first, again, reseeded = _plan(40, 9, 8), _plan(40, 9, 8), _plan(40, 9, 8, seed="8/finetune")
    steps = range(2 * first.steps_per_epoch)
    assert [first.batch(s).tolist() for s in steps] == [again.batch(s).tolist() for s in steps]
    assert first.batch(0).tolist() != reseeded.batch(0).tolist()
    assert first.batch(0).tolist() != first.batch(first.steps_per_epoch).tolist()


def test_a_step_can_be_asked_for_out_of_order() -> None:
    plan = _plan(40, 9, 8)
    wanted = plan.batch(9).tolist()
    for step in (0, 30, 5):
        plan.batch(step)
    assert plan.batch(9).tolist() == wanted
