"""Every ZeRO stage, offload and accumulation trains to the same losses, and leaves no tensor behind."""

from __future__ import annotations

import copy
import gc
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_args

import pytest
import torch
import torch.nn.functional as F
from deepspeed.accelerator import cuda_accelerator
from torch.optim.optimizer import register_optimizer_step_pre_hook

from search_spaces.worker_contract import Device
from tests.support.clean_process import CLEAN
from tests.support.tiny_specs import SGD, language, stage
from tests.support.tiny_trials import losses, make_task, run, run_until
from trainables.model.vlm import VLM, Batch
from trainables.storage import layout
from trainables.storage.record_files import read
from trainables.storage.records import StageResult
from trainables.storage.store import LocalStore
from trainables.task import TrialTask
from trainables.training import stage_engine
from trainables.training.engine import BACKENDS, Engine, StepSums
from trainables.training.optimizer import make_optimizer

STILL = SGD.model_copy(update={"lr": 1e-30, "clip": None})
"""A step of this changes no bit of a weight."""


def _live_tensors() -> int:
    gc.collect()
    return sum(1 for thing in gc.get_objects() if isinstance(thing, torch.Tensor))


def _weights(task: TrialTask) -> Mapping[str, str]:
    result = read(LocalStore(Path(task.storage)), layout.stage_result(task.stages[-1].key), StageResult)
    assert result is not None
    return result.modules


_IMPORTED = """
import sys, trainables.training.engine
from deepspeed.runtime.zero.muon.original_muon import muon_update
from transformers import LlamaForCausalLM
print(*(name in sys.modules for name in ("mlflow", "scipy")))
print(type(muon_update).__name__, hasattr(muon_update, "_torchdynamo_orig_callable"))
"""


def test_import_loads_no_tracking_and_no_scipy_and_compiles_nothing() -> None:
    done = subprocess.run([sys.executable, "-c", _IMPORTED], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False", "function", "False"]


def test_every_device_has_its_communication_library() -> None:
    assert set(BACKENDS) == set(get_args(Device))


def test_no_tensor_stays_alive_behind_an_engine_of_any_zero_stage(tmp_path: Path) -> None:
    run(make_task(tmp_path / "warm", zero=3))
    before = _live_tensors()
    for zero in (0, 1, 2, 3, 3):
        run(make_task(tmp_path / f"zero{zero}-{before}", zero=zero))
        assert _live_tensors() <= before


def test_linear_is_torchs_own_again_after_zero_3(tmp_path: Path) -> None:
    linear = F.linear
    run(make_task(tmp_path, zero=3))
    assert F.linear is linear
    assert torch.nn.functional.linear is linear


def test_a_zero_2_trial_after_a_zero_3_trial_has_the_bytes_of_one_before_it(tmp_path: Path) -> None:
    first = make_task(tmp_path / "first", zero=2)
    run(first)
    run(make_task(tmp_path / "between", zero=3))
    second = make_task(tmp_path / "second", zero=2)
    run(second)
    assert _weights(first) == _weights(second)


FAKE_NVML = SimpleNamespace(
    nvmlDeviceGetHandleByIndex=lambda index: index,
    nvmlDeviceGetMemoryInfo=lambda handle: SimpleNamespace(free=5 if handle == 3 else 0),
)
"""NVIDIA's library on a node whose devices are full but for the one of index 3."""


@pytest.mark.parametrize(
    ("variable", "free_bytes"),
    [("3", 5), ("GPU-5c7d3f6a-1f0e", 40), ("MIG-8a1b,MIG-9c2d", 40), (" GPU-5c7d", 40)],
)
def test_deepspeed_finds_the_free_memory_of_devices_that_have_numbers_or_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, free_bytes: int
) -> None:
    accelerator = cuda_accelerator.CUDA_Accelerator()
    monkeypatch.setattr(cuda_accelerator, "pynvml", FAKE_NVML)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda index: SimpleNamespace(total_memory=42))
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda index: 2)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", variable)
    run(make_task(tmp_path, zero=2))
    assert accelerator.available_memory(0) == free_bytes


def test_losses_of_zero_0_to_3_agree_at_every_step(tmp_path: Path) -> None:
    curves = [losses(run(make_task(tmp_path / str(zero), zero=zero))) for zero in (0, 1, 2, 3)]
    for curve in curves[1:]:
        torch.testing.assert_close(torch.tensor(curve), torch.tensor(curves[0]), rtol=1e-5, atol=0)


@pytest.mark.parametrize("micro", [16, 4, 1])
def test_bf16_is_the_same_experiment_at_every_zero_stage_and_micro_batch(micro: int, tmp_path: Path) -> None:
    """Losses differ by the rounding of bf16 (8 bits of a number), here by 0.08 %; another optimizer's by 1.6 %."""
    exact = losses(run(make_task(tmp_path / "fp32", stages=(stage(global_batch=16, max_steps=8),), benchmarks=())))
    stages = (stage(precision="bf16", global_batch=16, max_steps=8),)
    for zero in (0, 2, 3):
        task = make_task(tmp_path / str(zero), stages=stages, zero=zero, micro_batch=micro, benchmarks=())
        torch.testing.assert_close(torch.tensor(losses(run(task))), torch.tensor(exact), rtol=2e-3, atol=0)


@pytest.fixture(scope="module")
def exact_gradient(tmp_path_factory: pytest.TempPathFactory) -> torch.Tensor:
    """Gradient of the step of `_bf16_gradient`, computed in fp64 from the same weights in bf16."""
    gradients: list[torch.Tensor] = []
    open_engine = stage_engine.open_engine

    @contextmanager
    def computed(model: VLM, *arguments: Any) -> Iterator[Engine]:
        twin = copy.deepcopy(model).double()

        def step(batches: Iterator[Batch], passes: int, targets: int, vote: int) -> StepSums:
            for batch in batches:
                (twin(batch.to("cpu", torch.float64)) / targets).backward()
            groups = make_optimizer(twin, STILL).param_groups
            gradients.extend(p.grad.flatten() for group in groups for p in group["params"])
            return StepSums(1.0, vote)

        with open_engine(model, *arguments) as engine:
            engine.step = step  # type: ignore[method-assign]
            yield engine

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stage_engine, "open_engine", computed)
        run(_one_step(tmp_path_factory.mktemp("exact"), zero=0, micro_batch=64))
    return torch.cat(gradients)


def _one_step(folder: Path, **resources: int) -> TrialTask:
    stages = (stage(precision="bf16", optimizer=STILL, global_batch=64, max_steps=1),)
    return make_task(folder, stages=stages, benchmarks=(), **resources)


def _stepped_gradient(task: TrialTask, monkeypatch: pytest.MonkeyPatch) -> torch.Tensor:
    """Gradient that the optimizer is given in the only step of a trial; ZeRO steps one group after another."""
    gradients: list[torch.Tensor] = []

    def keep(optimizer: torch.optim.Optimizer, *arguments: Any) -> None:
        gradients.extend(p.grad.double().flatten() for group in optimizer.param_groups for p in group["params"])

    step = Engine.step

    def kept(engine: Engine, *arguments: Any) -> float:
        hook = register_optimizer_step_pre_hook(keep)
        try:
            return step(engine, *arguments)
        finally:
            hook.remove()

    monkeypatch.setattr(Engine, "step", kept)
    run(task)
    return torch.cat(gradients)


@pytest.mark.parametrize("micro", [16, 1])
@pytest.mark.parametrize("zero", [0, 2, 3])
def test_gradients_of_bf16_keep_their_precision_over_micro_batches(
    zero: int, micro: int, exact_gradient: torch.Tensor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gradient = _stepped_gradient(_one_step(tmp_path, zero=zero, micro_batch=micro), monkeypatch)
    assert float((gradient - exact_gradient).norm() / exact_gradient.norm()) < 0.005


@pytest.mark.parametrize("zero", [1, 2, 3])
def test_a_stage_in_bf16_that_goes_on_between_micro_batches_in_fp32_ends_with_the_same_bytes(
    zero: int, tmp_path: Path
) -> None:
    resources = {"zero": zero, "micro_batch": 2, "checkpoint_every_steps": 2}
    stages = (stage(precision="bf16"),)
    whole, cut = (make_task(tmp_path / name, stages=stages, benchmarks=(), **resources) for name in ("whole", "cut"))
    run(whole)
    run_until(cut, 3)
    assert len(losses(run(cut))) < 6
    assert _weights(cut) == _weights(whole)


def test_offloaded_stages_have_the_losses_of_others(tmp_path: Path) -> None:
    plain = losses(run(make_task(tmp_path / "plain", zero=2, cached=False, benchmarks=())))
    for zero, offload in ((2, "optimizer"), (3, "optimizer+params")):
        curve = losses(run(make_task(tmp_path / offload, zero=zero, offload=offload, cached=False, benchmarks=())))
        torch.testing.assert_close(torch.tensor(curve), torch.tensor(plain), rtol=1e-5, atol=0)


def test_accumulation_does_not_change_the_losses(tmp_path: Path) -> None:
    whole, cut = (losses(run(make_task(tmp_path / str(micro), micro_batch=micro))) for micro in (8, 2))
    torch.testing.assert_close(torch.tensor(cut), torch.tensor(whole), rtol=1e-5, atol=0)


def test_a_stage_whose_texts_are_cut_before_every_answer_trains_on_nothing(tmp_path: Path) -> None:
    curve = losses(run(make_task(tmp_path, language_spec=language(max_length=4), cached=False, benchmarks=())))
    assert curve == [0.0] * 6


def test_only_what_a_stage_trains_is_saved(tmp_path: Path) -> None:
    task = make_task(tmp_path, stages=(stage(trains=("projector",)),))
    run(task)
    assert set(_weights(task)) == {"projector"}


def _sum_with_and_without_a_vote(rank: int, world: int, meeting: str, answers: Any) -> None:
    """Sum drawn losses over the ranks, each alone and beside a vote; answer how many differ in a bit."""
    torch.set_num_threads(1)
    store = torch.distributed.FileStore(meeting, world)
    torch.distributed.init_process_group("gloo", store=store, rank=rank, world_size=world)
    draws, differences = torch.Generator().manual_seed(rank), 0
    for vote in range(100):
        alone = torch.randn(1, generator=draws) * 10
        beside = torch.cat([alone, torch.tensor([float(vote % 2)])])
        torch.distributed.all_reduce(alone)
        torch.distributed.all_reduce(beside)
        differences += alone[0].item().hex() != beside[0].item().hex()
    answers.put(differences)
    torch.distributed.barrier()
    torch.distributed.destroy_process_group()


def test_the_vote_that_is_summed_beside_a_loss_changes_no_bit_of_it_on_four_ranks(tmp_path: Path) -> None:
    answers = CLEAN.Queue()
    ranks = [
        CLEAN.Process(target=_sum_with_and_without_a_vote, args=(rank, 4, str(tmp_path / "meeting"), answers))
        for rank in range(4)
    ]
    for process in ranks:
        process.start()
    assert [answers.get(timeout=240) for _ in ranks] == [0] * 4
    for process in ranks:
        process.join(timeout=60)
