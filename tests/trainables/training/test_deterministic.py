"""Claims about deterministic kernels: a stage takes them where its resources ask for them, and nothing else does."""

from __future__ import annotations

from pathlib import Path

import torch

from search_spaces.outcomes import UnitDone
from tests.support.tiny_specs import stage
from tests.support.tiny_trials import losses, make_task, run, run_until
from trainables.run_trial import run_trial
from trainables.storage import layout
from trainables.storage.record_files import read
from trainables.storage.records import StageResult
from trainables.storage.store import LocalStore
from trainables.task import Context, TrialTask


def _is_deterministic_while_training(task: TrialTask) -> set[bool]:
    """Run a trial; return what torch was set to whenever a step of its stage was done."""
    name = task.trial.stages[0].name
    return {
        torch.are_deterministic_algorithms_enabled()
        for progress in run_trial(task, Context())
        if isinstance(progress, UnitDone) and progress.label == name
    }


def test_a_stage_takes_deterministic_kernels_where_its_resources_ask_for_them(tmp_path: Path) -> None:
    task = make_task(tmp_path, stages=(stage(max_steps=2),), deterministic=True)
    assert _is_deterministic_while_training(task) == {True}
    assert not torch.are_deterministic_algorithms_enabled()


def test_a_stage_takes_any_kernels_where_nothing_is_asked(tmp_path: Path) -> None:
    assert _is_deterministic_while_training(make_task(tmp_path, stages=(stage(max_steps=2),))) == {False}


def test_a_trial_that_is_stopped_leaves_torch_as_it_was(tmp_path: Path) -> None:
    loop = run_trial(make_task(tmp_path, stages=(stage(max_steps=2),), deterministic=True), Context())
    while not torch.are_deterministic_algorithms_enabled():
        next(loop)
    loop.close()  # type: ignore[attr-defined]
    assert not torch.are_deterministic_algorithms_enabled()


def test_deterministic_kernels_are_no_other_training_on_a_cpu(tmp_path: Path) -> None:
    plain = make_task(tmp_path / "plain", stages=(stage(max_steps=2),), benchmarks=())
    deterministic = make_task(tmp_path / "set", stages=(stage(max_steps=2),), benchmarks=(), deterministic=True)
    assert losses(run(plain)) == losses(run(deterministic))
    assert plain.stages[0].key == deterministic.stages[0].key


def test_a_stage_that_goes_on_with_deterministic_kernels_names_both_groups_in_its_provenance(tmp_path: Path) -> None:
    begun, rest = (
        make_task(tmp_path, benchmarks=(), checkpoint_every_steps=2, deterministic=is_on) for is_on in (False, True)
    )
    run_until(begun, 4)
    run(rest)
    result = read(LocalStore(tmp_path), layout.stage_result(rest.stages[0].key), StageResult)
    assert result is not None
    first, second = result.provenance["groups"].split("; ")
    assert "deterministic" not in first
    assert "deterministic kernels" in second
