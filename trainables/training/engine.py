"""Wrap DeepSpeed: build an engine, step it, save and load it, and clean up the process after it.

No other module imports DeepSpeed. Its private names are used here, so pyproject.toml pins its version, and tests count
what stays alive after an engine's end.
"""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from search_spaces.spec import StageSpec
from search_spaces.worker_contract import Device
from trainables.absent_module import absent_module
from trainables.model.packed_batch import PackedBatch
from trainables.model.precision import dtype_of
from trainables.model.vlm import VLM, Batch, cast_statistics, module
from trainables.training.device_memory import release_memory
from trainables.training.learning_rate import factor
from trainables.training.optimizer import make_optimizer
from trainables.training.random_states import random_states, restore_random_states
from trainables.training.state_files import StateContent, content_of, open_state
from trainables.training.state_slices import buffers, cut_slices, put_slices, round_masters

with absent_module("mlflow"):  # its autotuner imports it, which costs every worker 1.9 s of CPU and 76 MB
    import deepspeed
    from deepspeed.accelerator import cuda_accelerator
    from deepspeed.runtime import compiler
    from deepspeed.runtime.zero import parameter_offload
    from deepspeed.runtime.zero.partitioned_param_coordinator import PartitionedParameterCoordinator

BACKENDS: dict[Device, str] = {"cuda": "nccl", "cpu": "gloo"}
"""The collective communication library of a device."""

_LINEAR = F.linear

# An internal table, not an option: without it the first init_distributed on a CPU compiles a C++ op for minutes.
deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False
# Every ZeRO engine imports Muon, whose functions it has compiled at once; no stage here uses them.
compiler.compile = lambda: lambda function: function
deepspeed.utils.logger.setLevel(logging.ERROR)
for message in (".*all_gather_into_tensor.*", ".*reduce_scatter_tensor.*"):
    warnings.filterwarnings("ignore", message=message, category=FutureWarning)


class StepSums(NamedTuple):
    """What the ranks of a group have together after an optimizer step."""

    loss: float
    """Mean cross entropy of the whole global batch."""
    votes: int
    """Sum of the votes of all ranks."""


class Engine:
    """DeepSpeed engine of one stage; built by `open_engine`.

    Args:
        model: model whose `requires_grad` flags are set (`stage.settle_gradients`).
        stage: stage that is trained.
        steps: optimizer steps of the whole stage, for the learning-rate schedule.
        config: configuration of DeepSpeed (`deepspeed_config`).
        device: `cpu` or `cuda`.
    """

    def __init__(self, model: VLM, stage: StageSpec, steps: int, config: dict[str, Any], device: Device) -> None:
        self.dtype = dtype_of(stage.precision)
        cast_statistics(model, self.dtype)  # DeepSpeed casts weights only
        optimizer = make_optimizer(model, stage.optimizer, fused=device == "cuda")
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: factor(stage.schedule, step, steps))
        _read_named_devices()
        deepspeed.init_distributed(BACKENDS[device], auto_mpi_discovery=False)
        self._engine, *_ = deepspeed.initialize(
            model=model, optimizer=optimizer, lr_scheduler=scheduler, config=config, dist_init_required=False
        )
        self._trained = tuple(stage.trains)
        self._optimizer, self._schedule, self._steps = stage.optimizer, stage.schedule, steps
        self._torch_optimizer = optimizer
        self._zero = config["zero_optimization"]["stage"]
        self.device = self._engine.device
        self._rank, self._world = torch.distributed.get_rank(), torch.distributed.get_world_size()

    def step(self, batches: Iterable[Batch | PackedBatch], passes: int, targets: int, vote: int = 0) -> StepSums:
        """Run an optimizer step over this rank's forward passes; returns the loss of the whole global batch.

        The sum of cross entropies is divided by the targets of all ranks, so the result depends neither on world size
        nor on how records are laid out in passes; DeepSpeed averages over ranks, hence the factor `world`. Where every
        answer of the global batch is cut off by the maximum length of a text, `targets` and the loss are 0.

        Args:
            batches: of each forward pass.
            passes: number of batches, the same on every rank.
            targets: target tokens of the global batch, on all ranks.
            vote: a small number of this rank, summed over the ranks by the collective that sums the loss.
        """
        targets = max(targets, 1)
        sums = torch.tensor([0.0, vote], device=self.device, dtype=torch.float32)
        for number, batch in enumerate(batches, start=1):
            self._engine.set_gradient_accumulation_boundary(number == passes)
            loss_sum = self._engine(batch.to(self.device, self.dtype))
            self._engine.backward(loss_sum * (self._world / targets), scale_wrt_gas=False)
            self._engine.step()
            sums[0] += loss_sum.detach()
        if self._world > 1:
            torch.distributed.all_reduce(sums)
        loss, votes = sums.tolist()
        return StepSums(loss / targets, int(votes))

    def learning_rate(self) -> float:
        """Compute the learning rate of the next step, before any module's own factor."""
        return self._optimizer.lr * factor(self._schedule, self._engine.global_steps, self._steps)

    @property
    def checkpoint_file(self) -> str:
        """Name of this rank's file in the folder of a checkpoint, which all ranks share."""
        return f"rank-{self._rank:05d}.safetensors"

    def checkpoint_content(self, state: dict[str, Any]) -> StateContent:
        """Lay out this rank's file of a checkpoint: weights, optimizer, random states and `state`.

        Its tensors are those that the next step changes.

        Args:
            state: values that `load` returns; rank 0's are kept.
        """
        share = (self._rank, self._world) if self._zero == 0 else (0, 1)
        return content_of(
            {
                "slices": cut_slices(buffers(self._engine, self._zero), self._torch_optimizer, share),
                "random": random_states(),
                "steps": self._engine.global_steps,
                "schedule": self._engine.lr_scheduler.state_dict(),
                "stage": state if self._rank == 0 else {},
            }
        )

    def load(self, folder: Path, files: Iterable[str]) -> dict[str, Any]:
        """Resume from a checkpoint that the ranks of a group have written; returns its `state`.

        The group may have had another size, ZeRO stage, offload or device. Weights that are not trained are the model's
        own. A collective.

        Args:
            folder: folder of the checkpoint.
            files: names of all files that the ranks have written, verified (`StepCheckpoints.files`).
        """
        with ExitStack() as opened:
            states = [opened.enter_context(open_state(folder / name)) for name in sorted(files)]
            slices = (piece for state in states for piece in state["slices"])
            put_slices(slices, buffers(self._engine, self._zero), self._torch_optimizer)
            round_masters(self._engine, self._zero)
            self._resume_schedule(states[0]["steps"], states[0]["schedule"])
            restore_random_states(states[self._rank % len(states)]["random"])
            return dict(states[0]["stage"])

    def _resume_schedule(self, steps: int, schedule: dict[str, Any]) -> None:
        self._engine.global_steps = steps
        self._engine.global_samples = steps * self._engine.train_batch_size()
        self._engine.lr_scheduler.load_state_dict(schedule)
        for group, lr in zip(self._torch_optimizer.param_groups, self._engine.lr_scheduler.get_last_lr(), strict=True):
            group["lr"] = lr

    def trained_weights(self) -> dict[str, dict[str, Tensor]]:
        """Gather the whole weights of the trained modules on the CPU of rank 0; empty on other ranks. A collective."""
        weights: dict[str, dict[str, Tensor]] = {}
        for name in self._trained:
            part = module(self._engine.module, name)
            weights[name] = {
                key: value.detach().cpu().clone() for key, value in part.named_buffers() if _is_saved(part, key)
            }
            for key, parameter in part.named_parameters():
                with deepspeed.zero.GatheredParameters([parameter], enabled=self._zero == 3):
                    if self._rank == 0:
                        weights[name][key] = parameter.detach().cpu().clone()
        return weights if self._rank == 0 else {}

    def destroy(self) -> None:
        """Release the engine's memory."""
        self._engine.destroy()
        del self._engine, self._torch_optimizer


@contextmanager
def open_engine(model: VLM, stage: StageSpec, steps: int, config: dict[str, Any], device: Device) -> Iterator[Engine]:
    """Build an engine and destroy it after the block, inside `no_traces`; the arguments are those of `Engine`."""
    engine = Engine(model, stage, steps, config, device)
    try:
        yield engine
    finally:
        engine.destroy()


@contextmanager
def no_traces() -> Iterator[None]:
    """Restore the process after a block, as if DeepSpeed had never partitioned or trained a model in it."""
    try:
        yield
    finally:
        _forget()


def partition(config: dict[str, Any]) -> Callable[[list[nn.Parameter]], None] | None:
    """Return a function that partitions equal parameters over the ranks in place, for ZeRO 3; else None.

    `zero.Init` around a constructor would do it while the model is built, but silently loses the initialisation of
    transformers, and cannot load a checkpoint. Here every weight has its value before it is partitioned.
    """
    if config["zero_optimization"]["stage"] != 3:
        return None

    def cut(parameters: list[nn.Parameter]) -> None:
        deepspeed.zero.Init(module=nn.ParameterList(parameters), config_dict_or_path=config)

    return cut


def _read_named_devices() -> None:
    """Make DeepSpeed ask torch for a device's free memory where CUDA_VISIBLE_DEVICES has names instead of numbers.

    Schedulers write UUIDs (`GPU-...`) and slices (`MIG-...`) there, which ZeRO cannot turn into the index that it gives
    to NVIDIA's library. A slice has none: the variable cannot be rewritten either.
    """
    names = os.environ.get("CUDA_VISIBLE_DEVICES", "0").split(",")
    if not all(name.strip().isdecimal() for name in names):
        cuda_accelerator.pynvml = None


def _forget() -> None:
    """Undo the changes that engines make to the process.

    ZeRO-3 replaces `torch.nn.functional.linear` for good, which changes the bits of every later trial, and keeps whole
    models alive in a stack of modules and in a method's cache.
    """
    F.linear = _LINEAR
    parameter_offload.FWD_MODULE_STACK.clear()
    released: Callable[..., Any] = PartitionedParameterCoordinator._PartitionedParameterCoordinator__params_to_release
    for cell in released.__closure__ or ():
        if hasattr(cell.cell_contents, "cache_clear"):
            cell.cell_contents.cache_clear()
    release_memory()


def _is_saved(part: nn.Module, buffer: str) -> bool:
    """Check whether a buffer is in the state dict: running statistics are, rotary tables are not."""
    return buffer in part.state_dict(keep_vars=True)
