"""A half-trained stage goes on in a group of any workers, ZeRO stage and offload from the checkpoint of any other."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from search_spaces.spec import LoraSpec, OptimizerSpec, Precision
from tests.support.gloo_pair import run_on_two
from tests.support.tiny_specs import SGD, language, stage
from tests.support.tiny_trials import losses, make_task, run, run_until
from trainables.storage import layout
from trainables.storage.record_files import read
from trainables.storage.records import Resumes, StageResult
from trainables.storage.store import LocalStore
from trainables.task import TrialTask
from trainables.training.state_files import open_state

TOLERANCE: dict[Precision, float] = {"fp32": 1e-5, "bf16": 2e-3}
"""Losses of undisturbed runs of two shapes differ by as much: bf16 has 8 bits."""

PLAIN: dict[str, Any] = {"zero": 0}
CUT: dict[str, Any] = {"zero": 2, "offload": "optimizer"}
THIRD: dict[str, Any] = {"zero": 3}
HOSTED: dict[str, Any] = {"zero": 3, "offload": "optimizer+params"}


def _task(root: Path, precision: Precision, **resources: Any) -> TrialTask:
    stages = (stage(precision=precision),)
    return make_task(root, stages=stages, benchmarks=(), **{"checkpoint_every_steps": 2, **resources})


def _resumed_at(task: TrialTask) -> int:
    resumes = read(LocalStore(Path(task.storage)), layout.trial_resumes(task.study, task.id), Resumes)
    assert resumes is not None
    return resumes.resumes[-1].step


def _seconds_at_checkpoint(task: TrialTask) -> float:
    """Read the wall seconds of training up to the newest checkpoint."""
    with open_state(max(Path(task.storage).glob(f"{layout.checkpoints(task.stages[0].key)}/*/rank-00000*"))) as state:
        return float(state["stage"]["seconds"])


def _names(root: Path, task: TrialTask) -> set[str]:
    """Read the names of the parameters that the newest checkpoint has."""
    with open_state(max(root.glob(f"{layout.checkpoints(task.stages[0].key)}/*/rank-00000*"))) as state:
        return {piece["name"] for piece in state["slices"]}


def _result(task: TrialTask) -> StageResult:
    result = read(LocalStore(Path(task.storage)), layout.stage_result(task.stages[0].key), StageResult)
    assert result is not None
    return result


def _seconds(task: TrialTask) -> float:
    """Compute the wall seconds of training of the whole stage from its records and its rate."""
    trained, result = task.trial.stages[0], _result(task)
    return result.steps * trained.global_batch / result.samples_per_second


def _assert_goes_on(precision: Precision, rest: list[float], task: TrialTask, undisturbed: list[float]) -> None:
    assert _resumed_at(task) == 4
    assert len(rest) == 2
    torch.testing.assert_close(torch.tensor(rest), torch.tensor(undisturbed[-2:]), rtol=TOLERANCE[precision], atol=0)


@pytest.mark.parametrize("precision", TOLERANCE)
def test_one_worker_goes_on_from_another_zero_stage_and_offload(precision: Precision, tmp_path: Path) -> None:
    undisturbed = losses(run(_task(tmp_path / "whole", precision, **PLAIN)))
    for number, (first, second) in enumerate([(THIRD, CUT), (CUT, PLAIN), (PLAIN, HOSTED), (HOSTED, THIRD)]):
        before, after = (_task(tmp_path / str(number), precision, **shape) for shape in (first, second))
        assert before.stages[0].key == after.stages[0].key
        run_until(before, 5)
        _assert_goes_on(precision, losses(run(after)), after, undisturbed)


@pytest.mark.slow
@pytest.mark.parametrize("precision", TOLERANCE)
def test_every_shape_goes_on_from_every_other(precision: Precision, tmp_path: Path) -> None:
    shapes = (PLAIN, {"zero": 1}, {"zero": 2}, CUT, THIRD, HOSTED)
    undisturbed = losses(run(_task(tmp_path / "whole", precision, **PLAIN)))
    for number, (first, second) in enumerate(product(shapes, shapes)):
        before, after = (_task(tmp_path / str(number), precision, **shape) for shape in (first, second))
        run_until(before, 5)
        _assert_goes_on(precision, losses(run(after)), after, undisturbed)


@pytest.mark.parametrize("precision", ["fp32", pytest.param("bf16", marks=pytest.mark.slow)])
def test_two_workers_go_on_where_one_stopped_and_one_where_two_did(precision: Precision, tmp_path: Path) -> None:
    undisturbed = losses(run(_task(tmp_path / "whole", precision, **PLAIN)))
    folders, pairs = [tmp_path / str(number) for number in range(3)], [(PLAIN, THIRD), (THIRD, CUT), (CUT, HOSTED)]
    for folder, (alone, _) in zip(folders, pairs, strict=True):
        run_until(_task(folder, precision, **alone), 5)
    before = [_seconds_at_checkpoint(_task(folder, precision)) for folder in folders]
    more = [_task(f, precision, workers=2, **shape) for f, (_, shape) in zip(folders, pairs, strict=True)]
    for task, rest, alone_s in zip(more, run_on_two(more), before, strict=True):
        _assert_goes_on(precision, rest, task, undisturbed)
        assert _result(task).gpu_seconds == pytest.approx(2 * _seconds(task) - alone_s)
        assert [group[:9] for group in _result(task).provenance["groups"].split("; ")] == ["workers 1", "workers 2"]
    halves = [tmp_path / f"half{number}" for number in range(3)]
    run_on_two([_task(f, precision, workers=2, **first) for f, (first, _) in zip(halves, pairs, strict=True)], None, 5)
    for folder, (_, shape) in zip(halves, pairs, strict=True):
        task = _task(folder, precision, **shape)
        of_two_s = _seconds_at_checkpoint(task)
        _assert_goes_on(precision, losses(run(task)), task, undisturbed)
        assert _result(task).gpu_seconds == pytest.approx(_seconds(task) + of_two_s)
        assert [group[:9] for group in _result(task).provenance["groups"].split("; ")] == ["workers 2", "workers 1"]


@pytest.mark.parametrize("is_tied", [True, False], ids=["tied", "adapters"])
def test_tied_weights_adapters_and_frozen_modules_go_on_in_another_shape(is_tied: bool, tmp_path: Path) -> None:
    """Embeddings that are the output layer are in a checkpoint once; what is not trained is not in it."""
    tied = language(config={**language().config, "tie_word_embeddings": True})
    trained = stage(trains=("language",), lora=None if is_tied else LoraSpec(rank=4, alpha=8, dropout=0.1))
    whole, first, second = (
        make_task(
            tmp_path / folder, stages=(trained,), language_spec=tied, benchmarks=(), checkpoint_every_steps=2, **shape
        )
        for folder, shape in (("whole", PLAIN), ("cut", CUT), ("cut", THIRD))
    )
    undisturbed = losses(run(whole))
    run_until(first, 5)
    names = _names(tmp_path / "cut", first)
    assert {name.partition(".")[0] for name in names} == {"language"}
    assert all((".lora_" in name) is not is_tied for name in names)
    assert not any("lm_head" in name for name in names)
    assert ("language.model.embed_tokens.weight" in names) is is_tied
    _assert_goes_on("fp32", losses(run(second)), second, undisturbed)


@pytest.mark.parametrize("optimizer", [SGD, SGD.model_copy(update={"momentum": 0.0})], ids=["momentum", "plain"])
def test_states_of_other_optimizers_are_kept(optimizer: OptimizerSpec, tmp_path: Path) -> None:
    whole, first, second = (
        make_task(
            tmp_path / folder, stages=(stage(optimizer=optimizer),), benchmarks=(), checkpoint_every_steps=2, zero=zero
        )
        for folder, zero in (("whole", 2), ("cut", 3), ("cut", 2))
    )
    undisturbed = losses(run(whole))
    run_until(first, 5)
    _assert_goes_on("fp32", losses(run(second)), second, undisturbed)


def test_in_bf16_a_checkpoint_has_no_second_copy_of_what_its_masters_hold(tmp_path: Path) -> None:
    task = _task(tmp_path, "bf16", zero=2)
    run_until(task, 5)
    file = max(tmp_path.glob(f"{layout.checkpoints(task.stages[0].key)}/*/rank-*"))
    size_bytes = file.stat().st_size
    with open_state(file) as state:
        names = {name for piece in state["slices"] for name in piece["tensors"]}
        elements = sum(piece["tensors"]["master"].get_shape()[0] for piece in state["slices"])
    assert names == {"master", "exp_avg", "exp_avg_sq"}
    run(task)
    weights = [load_file(path) for path in tmp_path.glob(f"{layout.stage_folder(task.stages[0].key)}/*.safetensors")]
    assert elements == sum(tensor.numel() for tensors in weights for tensor in tensors.values())
    assert size_bytes - 12 * elements < 100_000
