"""Train a stage for some steps as a trial would, and measure its times, losses and memory beside the plan's."""

from __future__ import annotations

import statistics
import time
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, replace

import torch

from cluster.cost import operations
from cluster.memory import Memory, stage_memory
from measurements.gpu_check.live_tensors import live_bytes
from measurements.gpu_check.part import Figures
from measurements.gpu_check.planned import PlannedTrial
from search_spaces.resources import accumulation, micro_batch, zero_stage
from trainables.model.packed_batch import PackedBatch
from trainables.model.vlm import Batch
from trainables.peak_memory import PeakMemory
from trainables.training.hardware import device_name, gpu_entry, peak_flops
from trainables.training.stage import loader_threads
from trainables.training.stage_engine import OpenStage, open_stage
from trainables.trial_data import StepInput


@dataclass
class _Positions:
    """Positions of the language model in all steps that were counted."""

    computed: int = 0
    needed: int = 0
    """Without padding."""

    def counted(self, batches: Iterator[Batch | PackedBatch], image_tokens: int) -> Iterator[Batch | PackedBatch]:
        for batch in batches:
            match batch:
                case Batch():
                    before = 1 + image_tokens * (batch.image_BCHW is not None)
                    self.computed += batch.ids_BT.numel() + before * len(batch.ids_BT)
                    self.needed += int(batch.mask_BT.sum()) + before * len(batch.ids_BT)
                case PackedBatch():
                    self.computed += len(batch.ids_L)
                    self.needed += len(batch.ids_L)
            yield batch


def time_stage(planned: PlannedTrial, steps: int) -> Figures:
    """Train the only stage of a trial for some steps; returns figures with the plan's beside them."""
    device, order = planned.context.device, planned.task.stages[0]
    stage, size = planned.task.trial.stages[0], planned.size
    positions, seconds, losses = _Positions(), [], []
    memory, before, began = PeakMemory(device), live_bytes(device), time.perf_counter()
    with opened_stage(planned) as opened:
        start_s = time.perf_counter() - began
        with closing(step_inputs(planned, opened, steps)) as inputs:
            for step in range(steps):
                began = time.perf_counter()
                batch = next(inputs)
                counted = positions if step >= steps // 3 else _Positions()
                batches = counted.counted(batch.batches, size.image_tokens)
                losses.append(train_step(opened, replace(batch, batches=batches)))
                seconds.append(time.perf_counter() - began)
        peak, allocated = memory.read(), torch.cuda.max_memory_allocated() if device == "cuda" else None
        del batch, batches
        resident, attention, drops_padding = live_bytes(device) - before, opened.attention, opened.drops_padding
    times = seconds[steps // 3 :]
    step_s, records = statistics.median(times), stage.global_batch * len(times)
    expected = planned_memory(planned)
    return {
        "micro_batch": micro_batch(stage, order.resources),
        "accumulation": accumulation(stage, order.resources),
        "zero": zero_stage(stage, order.resources),
        "attention": attention,
        "has_rows_of_several": drops_padding or stage.packing is not None,
        "losses": losses,
        "start_s": start_s,
        "first_step_s": seconds[0],
        "step_s": step_s,
        "slowest_step_s": max(times),
        "positions_computed": positions.computed,
        "positions_needed": positions.needed,
        **_speed(planned, positions, records, step_s * len(times)),
        "resident_bytes": resident,
        "peak_allocated_bytes": allocated,
        "peak_bytes": peak,
        "planned_resident_bytes": expected.weights + expected.encoder + expected.optimizer,
        "planned_peak_bytes": expected.total,
        "planned_bytes": asdict(expected),
    }


def _speed(planned: PlannedTrial, positions: _Positions, records: int, seconds: float) -> Figures:
    """Compute operations per second: those that the records need, all that were computed, and their shares of the peak.

    Without what activation checkpointing computes again.
    """
    stage, size = planned.task.trial.stages[0], planned.size
    needed, computed = (
        records * operations(size, stage, round(total / records) - 1 - size.image_tokens, cached=False).model
        for total in (positions.needed, positions.computed)
    )
    name = device_name(planned.context.device)
    peak, entry = peak_flops(name, stage.precision), gpu_entry(name)
    return {
        "useful_tflops": needed / seconds / 1e12,
        "computed_tflops": computed / seconds / 1e12,
        "mfu": None if peak is None else needed / seconds / peak,
        "computed_mfu": None if peak is None else computed / seconds / peak,
        "planned_mfu": None if entry is None else entry.reached,
    }


@contextmanager
def opened_stage(planned: PlannedTrial) -> Iterator[OpenStage]:
    """Open the first stage of a trial."""
    with open_stage(planned.task, 0, [], planned.data, planned.context, planned.store) as opened:
        yield opened


def step_inputs(planned: PlannedTrial, opened: OpenStage, steps: int) -> Generator[StepInput, None, None]:
    """Load the inputs of the first steps as a trial does: by threads, into page-locked memory for a GPU."""
    context, order = planned.context, planned.task.stages[0]
    is_gpu = context.device == "cuda"
    threads = loader_threads(order.resources, is_gpu, opened.data.decodes)
    micro = micro_batch(planned.task.trial.stages[0], order.resources)
    return opened.data.steps(range(steps), context.rank, context.world, micro, threads, pinned=is_gpu)


def train_step(opened: OpenStage, batch: StepInput) -> float:
    """Run an optimizer step; returns its loss, for which the device has to be done."""
    return opened.engine.step(batch.batches, batch.passes, batch.targets).loss


def planned_memory(planned: PlannedTrial) -> Memory:
    """Estimate the memory of the first stage, as `ablate plan` does: for the longest texts."""
    trial, resources = planned.task.trial, planned.task.stages[0].resources
    return stage_memory(planned.size, trial.stages[0], resources, trial.language.max_length, cached=False)
