"""Steps that are written and done again count as lost, a stage that is done and begun again is named, nothing else."""

from __future__ import annotations

import pytest

from measurements.drill.run_progress import Moment
from tests.support.stored_studies import finish_stage, two_stage_plan
from trainables.storage import layout, tracked_names
from trainables.storage.spool import Spool
from trainables.storage.store import LocalStore

PLAN = two_stage_plan(resolutions=(64,), seeds=(7,))
TRIAL = PLAN.trials[0]
ALIGN, FINETUNE = TRIAL.stage_nodes(PLAN)


def train(store: LocalStore, steps: int) -> None:
    """Write the losses of a trial's first steps, over both of its stages."""
    spool = Spool(store, layout.spool(PLAN.study, TRIAL.id))
    for step in range(1, steps + 1):
        spool.write(step=step, metrics={tracked_names.TRAIN_LOSS: 1.0})
    spool.close()


def begin(store: LocalStore, *lines: str) -> None:
    """Append to the log of the trial's rank 0."""
    log = store.root / layout.worker_log(PLAN.study, TRIAL.id, 0)
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a") as file:
        file.writelines(f"{line}\n" for line in lines)


def test_steps_behind_the_checkpoint_are_lost(store: LocalStore) -> None:
    finish_stage(store, ALIGN)
    begin(store, f"training stage align {ALIGN.key}", f"training stage finetune {FINETUNE.key}")
    train(store, (ALIGN.steps or 0) + 13)
    moment = Moment.of(store.root, PLAN)
    assert (moment.done, moment.steps) == ({ALIGN.key}, {FINETUNE.key: 13})
    assert moment.lost_steps(store.root) == []
    begin(store, f"training stage finetune {FINETUNE.key}", "finetune: going on from step 10")
    assert moment.lost_steps(store.root) == [3]
    assert moment.trained_again(store.root) == set()


def test_a_checkpoint_whose_step_was_not_logged_yet_has_lost_nothing(store: LocalStore) -> None:
    finish_stage(store, ALIGN)
    train(store, (ALIGN.steps or 0) + 9)
    moment = Moment.of(store.root, PLAN)
    begin(store, f"training stage finetune {FINETUNE.key}", "finetune: going on from step 10")
    assert moment.lost_steps(store.root) == [0]


@pytest.mark.parametrize("then", [[], ["finetune: starts anew, as none of its 1 checkpoints can be used"]])
def test_a_stage_that_starts_anew_has_lost_all_its_steps(then: list[str], store: LocalStore) -> None:
    train(store, 5)
    moment = Moment.of(store.root, PLAN)
    begin(store, f"training stage align {ALIGN.key}", *then)
    assert moment.lost_steps(store.root) == [5]


def test_a_stage_that_was_done_must_not_be_begun_again(store: LocalStore) -> None:
    begin(store, f"training stage align {ALIGN.key}")
    finish_stage(store, ALIGN)
    moment = Moment.of(store.root, PLAN)
    begin(store, f"training stage finetune {FINETUNE.key}")
    assert moment.trained_again(store.root) == set()
    begin(store, f"training stage align {ALIGN.key}", "align: going on from step 4")
    assert moment.trained_again(store.root) == {ALIGN.key}


def test_a_storage_on_which_nothing_was_begun_has_lost_nothing(store: LocalStore) -> None:
    assert Moment.of(store.root, PLAN).lost_steps(store.root) == []
