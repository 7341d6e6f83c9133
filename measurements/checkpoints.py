"""Measure what a step checkpoint costs training: ``python -m measurements.checkpoints``.

The two forms take turns in one process: a step waits until its checkpoint is on storage, or only until the state is
copied into host memory. A disk of a given speed is this machine's, with flushes that take as long as that disk would.
"""

from __future__ import annotations

import argparse
import os
import stat
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast, get_args
from unittest.mock import patch

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("DS_ACCELERATOR", "cpu")

import torch

from measurements.cost import told_cost
from measurements.quickstart_trial import base_task
from measurements.throughput import produce_features
from measurements.wide_language import with_wide_language
from search_spaces.resource_spec import CheckpointForm
from search_spaces.resources import micro_batch
from trainables.model.vlm import build_modules
from trainables.storage.store import LocalStore
from trainables.task import Context, TrialTask
from trainables.training.checkpoint_writers import WRITERS, CheckpointWriter
from trainables.training.deepspeed_config import deepspeed_config
from trainables.training.engine import Engine, no_traces, open_engine
from trainables.training.stage_engine import settle_gradients
from trainables.training.step_checkpoints import StepCheckpoints
from trainables.trial_data import StageData, StepInput, TrialData
from trainables.workers.process_group import ensure_single

FORMS: tuple[CheckpointForm, ...] = get_args(CheckpointForm)
NONE = "no checkpoint"


@dataclass(frozen=True)
class Turn:
    """Seconds of a checkpoint and the steps behind it."""

    stall_s: float
    """In which training stood still."""
    all_s: float
    """Of the checkpoint and the steps, until it was on storage."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0] if __doc__ else None, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--width", type=int, default=512, help="of a language model of 6 layers")
    parser.add_argument("--turns", type=int, default=5, help="of each form, after one that is not counted")
    parser.add_argument("--steps", type=int, default=12, help="of a turn, which begins with a checkpoint")
    parser.add_argument("--disks", nargs="*", type=float, default=[500, 100], help="MB/s, beside this machine's own")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    ensure_single("cpu")
    with tempfile.TemporaryDirectory() as storage:
        task = _task(Path(storage), arguments.width)
        with _engine(task) as (engine, inputs):
            for disk_mb_s in (None, *arguments.disks):
                _measure(engine, inputs, task, Path(storage), arguments.turns, arguments.steps, disk_mb_s)


def _measure(
    engine: Engine, inputs: StageData, task: TrialTask, storage: Path, turns: int, steps: int, disk_mb_s: float | None
) -> None:
    """Print what checkpoints cost on one disk.

    Args:
        engine: that trains.
        inputs: of its steps.
        task: whose stage it is.
        storage: of the checkpoints.
        turns: of each form that count.
        steps: of a turn.
        disk_mb_s: speed of the disk; None for this machine's own.
    """
    order, micro = task.stages[0], micro_batch(task.trial.stages[0], task.stages[0].resources)
    checkpoints = StepCheckpoints(LocalStore(storage), order.key, order.resources, Context())
    figures: dict[str, list[Turn]] = {name: [] for name in (*FORMS, NONE)}
    with _disk(disk_mb_s), ExitStack() as stack:
        writers = {form: stack.enter_context(closing(WRITERS[form](checkpoints, engine, Context()))) for form in FORMS}
        for turn in range(turns + 1):
            for number, name in enumerate(figures):
                step = len(figures) * turn + number + 1
                batches = [inputs.step(batch, 0, 1, micro) for batch in range(steps)]
                measured = _turn(engine, batches, writers.get(cast("CheckpointForm", name)), step)
                if turn:
                    figures[name].append(measured)
    LocalStore(storage).remove(f"stages/{order.key}")
    bare_s = statistics.median(turn.all_s for turn in figures[NONE])
    size_mb = sum(map(len, engine.checkpoint_content({}).chunks())) / 1e6
    disk = "this machine's disk" if disk_mb_s is None else f"a disk of {disk_mb_s:g} MB/s"
    print(f"checkpoint of {size_mb:.0f} MB, {disk}, a step of {bare_s / steps:.2f} s", flush=True)
    stalls = {form: statistics.median(turn.stall_s for turn in figures[form]) for form in FORMS}
    for form, stall_s in stalls.items():
        cost_s = statistics.median(turn.all_s for turn in figures[form]) - bare_s
        print(f"  {form}: training stands for {stall_s:.3f} s, {steps} steps take {cost_s:.2f} s more", flush=True)
    print(f"  stall, background / wait: {stalls['background'] / stalls['wait']:.3f}", flush=True)


def _turn(engine: Engine, batches: Sequence[StepInput], writer: CheckpointWriter | None, step: int) -> Turn:
    """Run steps behind a checkpoint, or without one; at the end of the turn it is on storage.

    Args:
        engine: that trains.
        batches: of the steps.
        writer: of the checkpoint.
        step: that the checkpoint says it is of.
    """
    began, stall_s = time.perf_counter(), 0.0
    if writer is not None:
        writer.save(step, {})
        stall_s = time.perf_counter() - began
    for batch in batches:
        sums = engine.step(batch.batches, batch.passes, batch.targets, writer.vote() if writer is not None else 0)
        if writer is not None:
            settling = time.perf_counter()
            writer.settle(sums.votes)
            stall_s += time.perf_counter() - settling
    if writer is not None:
        waiting = time.perf_counter()
        writer.finish()
        stall_s += time.perf_counter() - waiting
    return Turn(stall_s, time.perf_counter() - began)


def _task(storage: Path, width: int) -> TrialTask:
    """Prepare the base trial of the quickstart with a larger language model."""
    task = base_task(storage, "recipe.finetune.global_batch=8")
    produce_features(task)
    return with_wide_language(task, width)


@contextmanager
def _engine(task: TrialTask) -> Iterator[tuple[Engine, StageData]]:
    """Build the engine of the only stage of a trial, and open its data."""
    data = TrialData(task, Context().store(task))
    stage, order = task.trial.stages[0], task.stages[0]
    model = build_modules(task.trial, data.tokenizer, data.root, with_vision=False)
    settle_gradients(model, stage)
    config = deepspeed_config(stage, order.resources, "cpu")
    with no_traces(), open_engine(model, stage, order.steps, config, "cpu") as engine:
        yield engine, StageData(data, task, stage, use_features=True)


@contextmanager
def _disk(speed_mb_s: float | None) -> Iterator[None]:
    """Let the first flush of a file take as long as a disk of some speed would need for it."""
    fsync, flushed = os.fsync, set[tuple[int, int]]()

    def flush(descriptor: Any) -> None:
        began = time.perf_counter()
        fsync(descriptor)
        facts = os.fstat(descriptor)
        if speed_mb_s is None or (facts.st_ino, facts.st_mtime_ns) in flushed or stat.S_ISDIR(facts.st_mode):
            return
        flushed.add((facts.st_ino, facts.st_mtime_ns))
        time.sleep(max(0.0, facts.st_size / (1e6 * speed_mb_s) - (time.perf_counter() - began)))

    with patch("os.fsync", flush):
        yield


if __name__ == "__main__":
    with told_cost():
        main()
