"""Measure by part what the start of a first run takes: ``python -m measurements.start``.

Each part is loaded or done behind the ones above it, in a fresh process that finds the bytecode of all modules on disk:
seconds of the clock and of its processor. Ray's own processes and MLflow are then started one after the other, and
together.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from tempfile import TemporaryDirectory

from measurements.cost import told_cost

_CLOCK = """
import json, sys, time
parts = []
def part(name, began=[time.perf_counter(), time.process_time()]):
    now = [time.perf_counter(), time.process_time()]
    parts.append((name, now[0] - began[0], now[1] - began[1]))
    began[:] = [time.perf_counter(), time.process_time()]
"""

_TELL = "\nprint(json.dumps(parts))\n"

WORKER = """
import torch; part("torch")
import trainables.model.language_config
from transformers import LlamaForCausalLM; part("transformers, a model's class among it")
import timm; part("timm")
import trainables.training.engine; part("DeepSpeed")
import trainables.run_task; part("this program")
"""

DRIVER = """
import orchestrator.run_study; part("this program")
import orchestrator.running.tuner; part("Ray Tune")
import orchestrator.tracking.mlflow_connect; part("MLflow")
"""

_SERVERS = """
from contextlib import ExitStack
from pathlib import Path
import orchestrator.running.tuner
from cluster.connect import connect
from orchestrator.tracking.opening import opening_tracker
storage = Path(sys.argv[1]); part("")
with ExitStack() as stack:
"""

APART = (
    _SERVERS
    + """
    with opening_tracker(None, storage, print) as opened:
        opened()
    part("MLflow and its database")
    stack.enter_context(connect(None, 2))
    part("Ray's processes")
"""
)

TOGETHER = (
    _SERVERS
    + """
    opened = stack.enter_context(opening_tracker(None, storage, print))
    stack.enter_context(connect(None, 2))
    opened()
    part("MLflow, its database and Ray's processes, together")
"""
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--repeats", type=int, default=5, help="of every process, after one that is not counted")
    repeats = parser.parse_args().repeats
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} CPUs, medians of {repeats}")
    _show("a worker loads", _parts(WORKER, repeats))
    _show("the driver loads", _parts(DRIVER, repeats))
    runs: dict[str, list[list[tuple[str, float, float]]]] = {APART: [], TOGETHER: []}
    for _ in range(repeats + 1):  # in turns, as the machine's speed changes
        for code, seen in runs.items():
            seen.append(_run(code))
    apart, together = (_medians(seen[1:]) for seen in runs.values())
    _show("one after the other", apart)
    _show("as a run starts them", together)


def _parts(code: str, repeats: int) -> list[tuple[str, float, float]]:
    return _medians([_run(code) for _ in range(repeats + 1)][1:])


def _run(code: str) -> list[tuple[str, float, float]]:
    """Run code that notes its parts in a fresh process; return name, seconds and CPU seconds of each."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    with TemporaryDirectory() as storage:
        output = subprocess.run(
            [sys.executable, "-c", _CLOCK + code + _TELL, storage],
            env={**environment, "OMP_NUM_THREADS": "1", "DS_ACCELERATOR": "cpu"},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
    return [(name, wall_s, cpu_s) for name, wall_s, cpu_s in json.loads(output.splitlines()[-1]) if name]


def _medians(runs: list[list[tuple[str, float, float]]]) -> list[tuple[str, float, float]]:
    return [
        (name, statistics.median(run[number][1] for run in runs), statistics.median(run[number][2] for run in runs))
        for number, (name, _, _) in enumerate(runs[0])
    ]


def _show(what: str, parts: list[tuple[str, float, float]]) -> None:
    """Print parts and their sum."""
    print(f"{what}: {sum(part[1] for part in parts):.1f} s, {sum(part[2] for part in parts):.1f} s of this CPU")
    for name, wall_s, cpu_s in parts:
        print(f"  {name}: {wall_s:.2f} s, {cpu_s:.2f} s", flush=True)


if __name__ == "__main__":
    with told_cost():
        main()
