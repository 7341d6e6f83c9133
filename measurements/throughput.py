"""Measure samples/s of the training loop against a bare PyTorch loop of the same model and batches.

The two take turns in one process, a block of steps each, so that changes of the machine's speed fall on both; the
ratio of the medians is the figure. Run: ``python -m measurements.throughput [--turns N]``.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("DS_ACCELERATOR", "cpu")

import torch

from measurements.cost import told_cost
from measurements.quickstart_trial import base_task, with_resources
from search_spaces.outcomes import NodeDone
from search_spaces.resources import micro_batch
from search_spaces.spec import StageSpec
from trainables.model.vlm import VLM, build_modules
from trainables.run_trial import run_trial
from trainables.task import Context, TrialTask
from trainables.training.deepspeed_config import deepspeed_config
from trainables.training.engine import no_traces, open_engine
from trainables.training.learning_rate import factor
from trainables.training.optimizer import make_optimizer
from trainables.training.stage_engine import settle_gradients
from trainables.trial_data import StageData, TrialData
from trainables.workers.process_group import ensure_single

BLOCK = 10
"""Steps of one turn."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=12, help="of each; one more comes first and is not counted")
    turns = parser.parse_args().turns
    torch.set_num_threads(1)
    ensure_single("cpu")
    with tempfile.TemporaryDirectory() as storage:
        task = base_task(Path(storage))
        produce_features(task)
        print(f"quickstart model, global batch {task.trial.stages[0].global_batch}, one thread")
        for zero in (0, 2, 3):
            bare, engine = compare(with_resources(task, zero=zero), turns)
            rates = f"bare {bare:7.0f} samples/s, engine {engine:7.0f} samples/s"
            print(f"  ZeRO-{zero}: {rates}, ratio {engine / bare:.3f}", flush=True)


def compare(task: TrialTask, turns: int) -> tuple[float, float]:
    """Measure samples/s of the bare loop and of the engine, medians over their turns."""
    data = TrialData(task, Context().store(task))
    stage, order = task.trial.stages[0], task.stages[0]
    stage_data = StageData(data, task, stage, use_features=True)
    micro = micro_batch(stage, order.resources)

    def model() -> VLM:
        built = build_modules(task.trial, data.tokenizer, data.root, with_vision=False)
        settle_gradients(built, stage)
        return built

    bare_step = _bare_loop(model(), stage, stage_data, order.steps)
    config = deepspeed_config(stage, order.resources, "cpu")
    with no_traces(), open_engine(model(), stage, order.steps, config, "cpu") as engine:

        def engine_step(number: int) -> None:
            batch = stage_data.step(number, 0, 1, micro)
            engine.step(batch.batches, batch.passes, batch.targets)

        rates: dict[str, list[float]] = {"bare": [], "engine": []}
        for turn in range(turns + 1):
            for name, step in (("bare", bare_step), ("engine", engine_step)):
                seconds = _timed(step, range(turn * BLOCK, (turn + 1) * BLOCK))
                if turn:
                    rates[name].append(BLOCK * stage.global_batch / seconds)
    return statistics.median(rates["bare"]), statistics.median(rates["engine"])


def _bare_loop(model: VLM, stage: StageSpec, data: StageData, steps: int) -> Callable[[int], None]:
    optimizer = make_optimizer(model, stage.optimizer)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: factor(stage.schedule, step, steps))
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]

    def step(number: int) -> None:
        batch = data.step(number, 0, 1, stage.global_batch)
        for micro in batch.batches:
            loss = model(micro) / batch.targets
            loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, stage.optimizer.clip or 1.0)
        optimizer.step()
        scheduler.step()
        optimizer.zero_grad(set_to_none=True)
        float(loss.detach())

    return step


def _timed(step: Callable[[int], None], numbers: range) -> float:
    began = time.perf_counter()
    for number in numbers:
        step(number)
    return time.perf_counter() - began


def produce_features(task: TrialTask) -> None:
    """Run the trial up to its first training step: the features are on storage then."""
    loop: Iterator[object] = run_trial(task, Context())
    for progress in loop:
        if progress == NodeDone(task.features[-1].node):
            break
    loop.close()  # type: ignore[attr-defined]


if __name__ == "__main__":
    with told_cost():
        main()
