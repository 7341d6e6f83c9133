"""Measure steps of the training loop beside those of a bare PyTorch loop, accelerate and transformers' Trainer.

accelerate runs without DeepSpeed and with the configuration that this program gives DeepSpeed at ZeRO 0 and 2. All
train the same model on the same batches with the same optimizer, schedule and clipping, in one process. They take
turns, so that changes of the machine's speed fall on all, and seconds of the processor are counted; the ratio of the
medians is the figure. That the work is the same is shown by the loss after the first turn, which is printed for each
and must agree. (Later rounding has grown: DeepSpeed adds in another order.)
Run: ``python -m measurements.peers [--turns N] [--set KEY=VALUE]``.
"""

from __future__ import annotations

import argparse
import copy
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("DS_ACCELERATOR", "cpu")
os.environ["CUDA_VISIBLE_DEVICES"] = ""  # accelerate that is told to use the CPU leaves out DeepSpeed

import torch
import transformers
from accelerate import Accelerator
from accelerate.state import AcceleratorState, PartialState
from accelerate.utils import DeepSpeedPlugin, DistributedType
from torch.utils.data import DataLoader, Dataset

from measurements.cost import told_cost
from measurements.quickstart_trial import base_task, with_resources
from measurements.throughput import produce_features
from search_spaces.spec import StageSpec
from trainables.model.vlm import VLM, Batch, build_modules
from trainables.task import Context, TrialTask
from trainables.training.deepspeed_config import deepspeed_config
from trainables.training.engine import Engine, no_traces, open_engine
from trainables.training.learning_rate import factor
from trainables.training.optimizer import make_optimizer
from trainables.training.stage_engine import settle_gradients
from trainables.trial_data import StageData, TrialData
from trainables.workers.process_group import ensure_single

BLOCK = 10
"""Steps of one turn that are timed; one before them is not, as Trainer sets itself up in it."""

SAME_LOSS = 1e-3
"""Relative difference that rounding may make between losses after the first turn."""

Turn = Callable[[range], tuple[float, float]]
"""Trains these steps; returns the processor's seconds for all but the first, and the loss of the last."""


@dataclass(frozen=True)
class Work:
    """What all loops do."""

    task: TrialTask
    trial_data: TrialData
    data: StageData
    stage: StageSpec
    steps: int

    def model(self) -> VLM:
        """Build the model as the stage begins with it."""
        model = build_modules(self.task.trial, self.trial_data.tokenizer, self.trial_data.root, with_vision=False)
        settle_gradients(model, self.stage)
        return model

    def batch(self, step: int) -> tuple[Batch, int]:
        """Load the one micro-batch of a step, and the number of its targets."""
        inputs = self.data.step(step, 0, 1, self.stage.global_batch)
        (batch,) = inputs.batches
        assert isinstance(batch, Batch)
        return batch, inputs.targets

    def optimizer(self, model: VLM) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LambdaLR]:
        """Make the optimizer of the stage and its schedule."""
        optimizer = make_optimizer(model, self.stage.optimizer)
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: factor(self.stage.schedule, step, self.steps)
        )
        return optimizer, schedule

    @property
    def clip(self) -> float:
        assert self.stage.optimizer.clip is not None, "the recipes of the shipped studies clip"
        return self.stage.optimizer.clip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=12, help="of each; one more comes first and is not counted")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="change to the quickstart")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    ensure_single("cpu")
    with tempfile.TemporaryDirectory() as storage, ExitStack() as opened:
        task = base_task(Path(storage), *arguments.set)
        produce_features(task)
        opened.enter_context(no_traces())
        turns = _loops(_work(task), opened)
        seconds, losses = _in_turn(turns, arguments.turns)
        parameters = sum(parameter.numel() for parameter in _work(task).model().parameters())
        print(f"{parameters / 1e6:.2f} M weights, load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores, one thread")
    bare = statistics.median(seconds["bare PyTorch"])
    for name, measured in seconds.items():
        median = statistics.median(measured)
        spread = f"{1e3 * min(measured) / BLOCK:.1f} to {1e3 * max(measured) / BLOCK:.1f}"
        print(
            f"  {name:26} {1e3 * median / BLOCK:6.1f} CPU ms a step ({spread}), bare / it {bare / median:.3f},"
            f" loss {losses[name]:.5f}"
        )
    if max(losses.values()) - min(losses.values()) > SAME_LOSS * max(losses.values()):
        raise SystemExit("the loops did not do the same work: their losses differ")


def _work(task: TrialTask) -> Work:
    trial_data, stage, order = TrialData(task, Context().store(task)), task.trial.stages[0], task.stages[0]
    return Work(task, trial_data, StageData(trial_data, task, stage, use_features=True), stage, order.steps)


def _loops(work: Work, opened: ExitStack) -> Mapping[str, Turn]:
    """Build the loops by their names; what has to be ended is left to `opened`."""
    own: dict[str, Turn] = {}
    with_deepspeed: dict[str, Turn] = {}
    for zero in (0, 2):
        resources = with_resources(work.task, zero=zero).stages[0].resources
        config = deepspeed_config(work.stage, resources, "cpu")
        engine = opened.enter_context(open_engine(work.model(), work.stage, work.steps, config, "cpu"))
        own[f"this program, ZeRO {zero}"] = _stepwise(_engine(work, engine))
        accelerator = _accelerator(deepspeed_plugin=DeepSpeedPlugin(hf_ds_config=copy.deepcopy(config)))
        assert accelerator.distributed_type == DistributedType.DEEPSPEED
        with_deepspeed[f"accelerate, DeepSpeed {zero}"] = _stepwise(_accelerate(work, accelerator))
        opened.callback(accelerator.deepspeed_engine_wrapped.engine.destroy)
    os.environ.pop("LOCAL_RANK")  # of the engines' group: accelerate would take a group of one for several processes
    accelerator = _accelerator(cpu=True)
    assert accelerator.distributed_type == DistributedType.NO
    peers = {"bare PyTorch": _stepwise(_bare(work)), "accelerate": _stepwise(_accelerate(work, accelerator))}
    return {**peers, "Trainer": _trainer(work), **with_deepspeed, **own}


def _in_turn(loops: Mapping[str, Turn], turns: int) -> tuple[dict[str, list[float]], dict[str, float]]:
    """Let the loops take turns over the same steps; returns the seconds of their turns and their first turn's loss."""
    seconds: dict[str, list[float]] = {name: [] for name in loops}
    losses: dict[str, float] = {}
    for turn in range(turns + 1):
        steps = range(turn * (BLOCK + 1), (turn + 1) * (BLOCK + 1))
        for name, loop in loops.items():
            taken, loss = loop(steps)
            if turn:
                seconds[name].append(taken)
            else:
                losses[name] = loss
    return seconds, losses


def _stepwise(step: Callable[[int], float]) -> Turn:
    """Make a turn of a function that trains one step and returns its loss."""

    def turn(steps: range) -> tuple[float, float]:
        loss = step(steps[0])
        began = time.process_time()
        for number in steps[1:]:
            loss = step(number)
        return time.process_time() - began, loss

    return turn


def _bare(work: Work) -> Callable[[int], float]:
    model = work.model()
    optimizer, schedule = work.optimizer(model)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]

    def step(number: int) -> float:
        batch, targets = work.batch(number)
        loss = model(batch) / targets
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, work.clip)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad(set_to_none=True)
        return float(loss.detach())

    return step


def _accelerator(**options: Any) -> Accelerator:
    """Make an accelerator beside others of the process, which accelerate has share one state."""
    for state in (AcceleratorState, PartialState):
        state._shared_state = {}
    os.environ.pop("ACCELERATE_USE_DEEPSPEED", None)
    return Accelerator(**options)


def _accelerate(work: Work, accelerator: Accelerator) -> Callable[[int], float]:
    built = work.model()
    model, optimizer, schedule = accelerator.prepare(built, *work.optimizer(built))
    trained = [parameter for parameter in built.parameters() if parameter.requires_grad]

    def step(number: int) -> float:
        batch, targets = work.batch(number)
        loss = model(batch) / targets
        accelerator.backward(loss)
        accelerator.clip_grad_norm_(trained, work.clip)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad(set_to_none=True)
        return float(loss.detach())

    return step


def _engine(work: Work, engine: Engine) -> Callable[[int], float]:
    def step(number: int) -> float:
        batch, targets = work.batch(number)
        return engine.step([batch], 1, targets).loss

    return step


class _Steps(Dataset[dict[str, Any]]):
    """Inputs of steps, one by one, as Trainer's data loader asks for them."""

    def __init__(self, work: Work, steps: range) -> None:
        self._work, self._steps = work, steps

    def __len__(self) -> int:
        return len(self._steps)

    def __getitem__(self, index: int) -> dict[str, Any]:
        batch, targets = self._work.batch(self._steps[index])
        return {"batch": batch, "targets": targets}


class _Times(transformers.TrainerCallback):  # type: ignore[misc]
    """When each step ended."""

    def __init__(self) -> None:
        self.ends: list[float] = []

    def on_step_end(self, *_: Any, **__: Any) -> None:
        self.ends.append(time.process_time())


class _Trainer(transformers.Trainer):  # type: ignore[misc]
    """Trainer whose batches and loss are those of all loops."""

    loss = float("nan")

    def get_train_dataloader(self) -> DataLoader[dict[str, Any]]:
        return DataLoader(self.train_dataset, batch_size=None)

    def compute_loss(self, model: Any, inputs: dict[str, Any], *_: Any, **__: Any) -> torch.Tensor:
        loss: torch.Tensor = model(inputs["batch"]) / inputs["targets"]
        self.loss = float(loss.detach())
        return loss


def _trainer(work: Work) -> Turn:
    model = work.model()
    optimizers = work.optimizer(model)

    def turn(steps: range) -> tuple[float, float]:
        times = _Times()
        arguments = transformers.TrainingArguments(
            output_dir=tempfile.gettempdir(), max_steps=len(steps), max_grad_norm=work.clip, use_cpu=True,
            save_strategy="no", logging_strategy="no", report_to=[], disable_tqdm=True, remove_unused_columns=False,
        )  # fmt: skip
        trainer = _Trainer(
            model=model, args=arguments, train_dataset=_Steps(work, steps), optimizers=optimizers, callbacks=[times]
        )
        trainer.remove_callback(transformers.PrinterCallback)
        trainer.train()
        assert len(times.ends) == len(steps)
        return times.ends[-1] - times.ends[0], trainer.loss

    return turn


if __name__ == "__main__":
    with told_cost():
        main()
