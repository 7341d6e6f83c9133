"""Claims about trainables/smaller_batches.py: the batches, and what a stage makes of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from search_spaces.resource_spec import ResourceSpec
from search_spaces.resources import micro_batch
from search_spaces.spec import PackingSpec
from tests.support.tiny_specs import stage, trial_spec
from tests.support.tiny_trials import is_step, losses, run
from tests.support.tiny_trials import make_task as make_tiny
from trainables.run_trial import run_trial
from trainables.smaller_batches import MOST_PARTS, memory_note, use_smaller_batches, with_smaller_batches
from trainables.storage import layout
from trainables.storage.record_files import read
from trainables.storage.records import StageResult
from trainables.storage.store import LocalStore, Store
from trainables.task import Context, StageTask, TrialTask

STAGES = (stage("align", trains=("projector",), global_batch=16), stage("finetune", global_batch=12))


def make_task(storage: Path, seed: int = 1, **resources: Any) -> TrialTask:
    return TrialTask(
        study="study", id=f"trial-{seed}", arm="base",
        trial=trial_spec(seed=seed, stages=STAGES), features=(),
        stages=tuple(
            StageTask(node=f"n-{spec.name}", key=f"{seed}-{spec.name}", steps=1, resources=ResourceSpec(**resources))
            for spec in STAGES
        ),
        benchmarks=(), evaluation_node="n-evaluation", digests={}, storage=str(storage), data=str(storage),
    )  # fmt: skip


def micro_batches(task: TrialTask) -> list[int]:
    return [micro_batch(spec, order.resources) for spec, order in zip(task.trial.stages, task.stages, strict=True)]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return LocalStore(tmp_path)


def test_task_of_which_nothing_is_known_stays_as_it_is(tmp_path: Path, store: Store) -> None:
    task = make_task(tmp_path)
    assert with_smaller_batches(task, store) == task


def test_only_the_stage_that_ran_out_of_memory_is_halved(tmp_path: Path, store: Store) -> None:
    task = make_task(tmp_path, workers=2)
    said = use_smaller_batches(task, "n-finetune", store)
    assert said == (
        "stage finetune: micro-batch 3 instead of 6, accumulated over 2 instead of 1 passes (global batch 12)"
    )
    assert micro_batches(with_smaller_batches(task, store)) == [8, 3]


def test_halving_ends_at_one_and_every_micro_batch_divides_the_share(tmp_path: Path, store: Store) -> None:
    task, seen = make_task(tmp_path), []
    while use_smaller_batches(task, "n-finetune", store):
        task = with_smaller_batches(task, store)
        seen.append(micro_batches(task)[1])
    assert seen == [6, 3, 1]
    assert micro_batches(task)[0] == 16


def test_replicates_start_with_what_fits_and_other_resources_do_not(tmp_path: Path, store: Store) -> None:
    use_smaller_batches(make_task(tmp_path, seed=1), "n-align", store)
    assert micro_batches(with_smaller_batches(make_task(tmp_path, seed=2), store)) == [8, 12]
    assert micro_batches(with_smaller_batches(make_task(tmp_path, seed=2, zero=2), store)) == [16, 12]


def test_two_trials_that_fail_alike_halve_once(tmp_path: Path, store: Store) -> None:
    for seed in (1, 2):
        use_smaller_batches(make_task(tmp_path, seed), "n-align", store)
    assert micro_batches(with_smaller_batches(make_task(tmp_path), store))[0] == 8


def test_late_failure_with_more_does_not_raise_what_is_known_to_fit(tmp_path: Path, store: Store) -> None:
    use_smaller_batches(make_task(tmp_path, micro_batch=2), "n-align", store)
    use_smaller_batches(make_task(tmp_path), "n-align", store)
    assert micro_batches(with_smaller_batches(make_task(tmp_path), store))[0] == 1


def test_smaller_micro_batch_of_the_study_holds(tmp_path: Path, store: Store) -> None:
    use_smaller_batches(make_task(tmp_path), "n-align", store)
    task = make_task(tmp_path, micro_batch=4)
    assert with_smaller_batches(task, store) == task


def test_evaluation_is_answered_in_twice_as_many_parts_up_to_single_questions(tmp_path: Path, store: Store) -> None:
    task = make_task(tmp_path)
    assert use_smaller_batches(task, "n-evaluation", store) == (
        "evaluation: each batch of questions is answered in 2 parts instead of 1"
    )
    while use_smaller_batches(task, "n-evaluation", store):
        task = with_smaller_batches(task, store)
    assert task.question_parts == MOST_PARTS
    assert micro_batches(task) == [16, 12]


def test_what_has_no_batch_to_halve_is_left(tmp_path: Path, store: Store) -> None:
    assert use_smaller_batches(make_task(tmp_path), "features-of-something", store) is None


def test_stage_goes_on_with_a_smaller_micro_batch_from_a_checkpoint_of_a_larger_one(tmp_path: Path) -> None:
    """The global batch, the key and, but for rounding, the losses are those of a run in whole batches."""
    whole = make_tiny(tmp_path / "whole")
    expected = losses(run(whole))
    task = make_tiny(tmp_path / "halved", checkpoint_every_steps=2)
    loop = run_trial(task, Context())
    seen = []
    for event in loop:
        seen.append(event)
        if is_step(event, 3):
            break
    loop.close()  # type: ignore[attr-defined]
    store = LocalStore(tmp_path / "halved")
    use_smaller_batches(task, "stage-0", store)
    use_smaller_batches(with_smaller_batches(task, store), "stage-0", store)
    smaller = with_smaller_batches(task, store)
    assert smaller.stages[0].resources.micro_batch == 2
    rest = run(smaller)
    assert losses(seen)[:2] + losses(rest) == pytest.approx(expected, rel=1e-5)
    assert len(losses(rest)) == len(expected) - 2, "it went on from the checkpoint after two steps"
    result = read(store, layout.stage_result(task.stages[0].key), StageResult)
    assert result is not None
    assert result.provenance["micro_batch"] == "2"


def test_a_packed_row_is_not_halved(tmp_path: Path, store: Store) -> None:
    task = make_task(tmp_path)
    packed = replace(
        task.trial, stages=tuple(s.model_copy(update={"packing": PackingSpec(tokens=4096)}) for s in STAGES)
    )
    assert use_smaller_batches(task.model_copy(update={"trial": packed}), "n-finetune", store) is None


def test_memory_note_says_stage_micro_batch_and_what_the_plan_expects(tmp_path: Path) -> None:
    task = make_task(tmp_path, micro_batch=4)
    assert memory_note(task, "n-align") == "in stage align at micro-batch 4"
    order = task.stages[0].model_copy(update={"expected_memory": ((8, 90_000_000_000), (4, 61_230_000_000))})
    task = task.model_copy(update={"stages": (order, task.stages[1])})
    assert memory_note(task, "n-align") == (
        "in stage align at micro-batch 4, for which the plan expects 61.2 GB of each worker"
    )
    packed = replace(
        task.trial, stages=tuple(s.model_copy(update={"packing": PackingSpec(tokens=4096)}) for s in STAGES)
    )
    note = memory_note(task.model_copy(update={"trial": packed}), "n-finetune")
    assert note == "in stage finetune with rows of 4,096 positions"
    assert memory_note(task, "n-evaluation") == "in the evaluation"
    assert memory_note(task, "features-of-something") is None
