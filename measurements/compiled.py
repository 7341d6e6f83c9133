"""Measure training with compiled layers (`resources.compile`) beside training without.

Both train the same model on the same batches in one process and take turns; seconds of the processor are counted, and
the ratio of the medians is the figure. What compiling takes is told apart, with the seconds of the compiler's
processes: once with nothing compiled on this machine before, and once more with what the first time has left on its
disk. The models are the quickstart's and
one of each width that is given. Run: ``python -m measurements.compiled [--widths N ...] [--turns N]``.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("DS_ACCELERATOR", "cpu")
os.environ.setdefault("TORCHINDUCTOR_COMPILE_THREADS", "1")  # as in a worker of one thread

import torch
from torch._dynamo.utils import counters

from measurements.cost import told_cost
from measurements.quickstart_trial import base_task
from measurements.throughput import produce_features
from measurements.wide_language import with_wide_language
from search_spaces.resources import micro_batch
from trainables.model.vlm import build_modules
from trainables.task import Context, TrialTask
from trainables.training.compiled_layers import compile_layers, compiling
from trainables.training.deepspeed_config import deepspeed_config
from trainables.training.engine import Engine, no_traces, open_engine
from trainables.training.hardware import set_attention
from trainables.training.stage_engine import settle_gradients
from trainables.trial_data import StageData, TrialData
from trainables.workers.process_group import ensure_single

BLOCK = 5
"""Steps of one turn."""

COMPARED = 20
"""First steps whose losses are compared."""


@dataclass(frozen=True)
class Loop:
    """Engine with its data."""

    engine: Engine
    data: StageData
    micro: int

    def step(self, number: int) -> float:
        """Train a step; return its loss."""
        batch = self.data.step(number, 0, 1, self.micro)
        return self.engine.step(batch.batches, batch.passes, batch.targets).loss


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0] if __doc__ else None, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--widths", type=int, nargs="*", default=[384], help="of language models of 6 layers")
    parser.add_argument("--turns", type=int, default=8, help="of each side, of five steps, after twenty steps")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    ensure_single("cpu")
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores, one thread")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(Path(folder, "compiled"))
        task = base_task(Path(folder))
        produce_features(task)
        tasks = {"the quickstart's model": task}
        tasks |= {f"width {width}, 6 layers": with_wide_language(task, width) for width in arguments.widths}
        for name, each in tasks.items():
            for padding in ("keep", "drop"):
                print(f"{name}, padding: {padding}", flush=True)
                _compare(each, padding == "drop", arguments.turns)


def _compare(task: TrialTask, drops_padding: bool, turns: int) -> None:
    """Print what compiled layers gain and cost.

    Args:
        task: whose stage is trained.
        drops_padding: whether the records of a micro-batch are laid one after the other.
        turns: that count.
    """
    counters.clear()
    numbers, seconds = range(COMPARED), dict[str, list[float]]()
    with no_traces(), ExitStack() as stack:
        loops = {name: stack.enter_context(_loop(task, drops_padding, name == "compiled")) for name in _SIDES}
        losses, first_s = {}, {}
        for name, loop in loops.items():
            began = _cpu_seconds()
            losses[name] = [loop.step(number) for number in numbers]
            first_s[name] = _cpu_seconds() - began
        graphs = counters["stats"]["unique_graphs"]
        for turn in range(turns):
            for name, loop in loops.items():
                began = time.process_time()
                for number in range(COMPARED + turn * BLOCK, COMPARED + (turn + 1) * BLOCK):
                    loop.step(number)
                seconds.setdefault(name, []).append((time.process_time() - began) / BLOCK)
        later = counters["stats"]["unique_graphs"] - graphs
    plain_s, compiled_s = (statistics.median(seconds[name]) for name in _SIDES)
    with no_traces(), _loop(task, drops_padding, True) as loop:
        began = _cpu_seconds()
        for number in numbers:
            loop.step(number)
        again_s = _cpu_seconds() - began
    differs = max(abs(one - two) / abs(one) for one, two in zip(*losses.values(), strict=True))
    times = f"plain {1e3 * plain_s:.1f} CPU ms a step, compiled {1e3 * compiled_s:.1f}"
    print(f"  {times}: {plain_s / compiled_s:.3f} times as fast")
    print(
        f"  compiling: {first_s['compiled'] - first_s['plain']:.1f} CPU s, {again_s - first_s['plain']:.1f} when it was"
        f" compiled before; {graphs} graphs in the first {COMPARED} steps, {later} in {turns * BLOCK} later ones"
    )
    print(f"  losses of {COMPARED} steps differ by at most {differs:.1e} of themselves", flush=True)


_SIDES = ("plain", "compiled")


def _cpu_seconds() -> float:
    """Read the seconds that processors have spent on this process and on its children that have ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


@contextmanager
def _loop(task: TrialTask, drops_padding: bool, is_compiled: bool) -> Iterator[Loop]:
    """Build the engine of the only stage of a trial, and open its data."""
    data = TrialData(task, Context().store(task))
    stage, order = task.trial.stages[0], task.stages[0]
    with compiling(is_compiled, "cpu"):
        model = build_modules(task.trial, data.tokenizer, data.root, with_vision=False)
        settle_gradients(model, stage)
        set_attention(model.language, stage, "cpu")
        if is_compiled:
            compile_layers(model.language)
        stage_data = StageData(data, task, stage, use_features=True, drops_padding=drops_padding)
        config = deepspeed_config(stage, order.resources, "cpu")
        with open_engine(model, stage, order.steps, config, "cpu") as engine:
            yield Loop(engine, stage_data, micro_batch(stage, order.resources))


if __name__ == "__main__":
    with told_cost():
        main()
