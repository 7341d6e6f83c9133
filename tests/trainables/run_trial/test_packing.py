"""A stage without padding trains as one that pads its records: the same steps and losses up to rounding."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from search_spaces.spec import MixPart, MixSpec, PackingSpec
from tests.support.gloo_pair import run_on_two
from tests.support.tiny_specs import SGD, source, stage
from tests.support.tiny_trials import losses, make_task, run, run_until
from trainables.storage.store import LocalStore
from trainables.task import TrialTask
from trainables.trial_data import StageData, TrialData

MIXED = MixSpec(name="mixed", parts=(MixPart(source=source(tags="color,text-only,shape")),))


def _task(folder: Path, row: int | None, **resources: Any) -> TrialTask:
    packing = None if row is None else PackingSpec(tokens=row)
    stages = (stage(optimizer=SGD, data=MIXED, max_steps=8, packing=packing),)
    return make_task(folder, stages=stages, benchmarks=(), **resources)


def test_losses_of_every_step_are_those_of_padded_records_on_one_and_two_workers(tmp_path: Path) -> None:
    padded = torch.tensor(losses(run(_task(tmp_path / "padded", None))))
    for row in (1, 40, 120, 10_000):
        packed = losses(run(_task(tmp_path / f"row{row}", row)))
        torch.testing.assert_close(torch.tensor(packed), padded, rtol=1e-6, atol=0)
    # Of the longest row there is one a step, so that the second worker has none.
    shapes = [(0, 120), (2, 120), (3, 120), (2, 10_000)]
    both = [_task(tmp_path / f"two{zero}-{row}", row, workers=2, zero=zero) for zero, row in shapes]
    for packed in run_on_two(both):
        torch.testing.assert_close(torch.tensor(packed), padded, rtol=1e-6, atol=0)


def test_padding_that_is_dropped_changes_no_loss(tmp_path: Path) -> None:
    """On one worker and on two, with a last batch of a modality that is filled up."""
    padded = torch.tensor(losses(run(_task(tmp_path / "padded", None))))
    alone = losses(run(_task(tmp_path / "alone", None, padding="drop", micro_batch=2)))
    torch.testing.assert_close(torch.tensor(alone), padded, rtol=1e-6, atol=0)
    (both,) = run_on_two([_task(tmp_path / "two", None, padding="drop", workers=2, zero=2, micro_batch=2)])
    torch.testing.assert_close(torch.tensor(both), padded, rtol=1e-6, atol=0)


def test_rows_have_room_for_their_records_and_passes_follow_from_them(tmp_path: Path) -> None:
    task = _task(tmp_path, 120)
    data = StageData(TrialData(task, LocalStore(tmp_path)), task, task.trial.stages[0], use_features=False)
    padded = StageData(TrialData(task, LocalStore(tmp_path)), task, stage(data=MIXED), use_features=False)
    for step in range(data.plan.steps_per_epoch):
        packed, one = data.step(step, 0, 1, 1), padded.step(step, 0, 1, 8)
        rows = list(packed.batches)
        assert (packed.passes, packed.targets, packed.records) == (len(rows), one.targets, one.records)
        assert max(len(row.ids_L) for row in rows) <= 120
        assert sum(len(row.targets_N) for row in rows) == one.targets
        assert packed.passes < one.records


def test_the_heaviest_step_is_that_of_the_fullest_rows(tmp_path: Path) -> None:
    task = _task(tmp_path, 120)
    data = StageData(TrialData(task, LocalStore(tmp_path)), task, task.trial.stages[0], use_features=False)
    steps = range(data.plan.steps_per_epoch)

    def longest(step: int) -> int:
        return max(len(row.ids_L) for row in data.step(step, 0, 1, 1).batches)

    assert longest(data.heaviest(steps, 1)) >= 0.95 * max(map(longest, steps))
    assert min(map(longest, steps)) < 0.95 * max(map(longest, steps))


def test_a_stopped_stage_goes_on_to_the_same_losses(tmp_path: Path) -> None:
    whole = losses(run(_task(tmp_path / "whole", 120)))
    task = _task(tmp_path / "stopped", 120, checkpoint_every_steps=2)
    before = losses(run_until(task, 5))
    after = losses(run(task))
    assert 0 < len(after) < len(whole)
    assert [*before, *whole[len(before) :]] == whole
    assert after == whole[-len(after) :]
