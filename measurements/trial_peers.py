"""Run short trials by this program, Ray Tune, Tune with TorchTrainer, and in a process each, and compare the cost.

All run the same loop over the same tasks of the quickstart at toy size, two at a time, each way on a storage of its
own: what differs is who starts the trials and where. Ways take turns. Seconds of the processor are those of all
processes that a way starts, Ray's own included.
Run: ``python -m measurements.trial_peers [--trials N] [--turns N] [--only WAY]``.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("DS_ACCELERATOR", "cpu")
os.environ.setdefault("RAY_TRAIN_V2_ENABLED", "1")

import psutil

from measurements.cost import told_cost
from measurements.toy_trials import plan_toy_trials, run_toy_trials
from orchestrator.running.tasks import make_task
from search_spaces.outcomes import TrialDone
from trainables.storage.store import LocalStore
from trainables.task import Context, TrialTask

SLOTS = 2
"""Trials that run at a time."""

LOOK_EVERY_S = 0.1
"""Between two looks at what processes have used: of a process that ends, so much at most is not seen."""

Way = Callable[[Path, Sequence[Path]], None]
"""Runs the trials of task files whose storage is a folder."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=8)
    parser.add_argument("--turns", type=int, default=1, help="of each way")
    parser.add_argument("--only", action="append", choices=WAYS, help="way; repeatable")
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("--task", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--storage", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.task:
        run_one(arguments.task)
    elif arguments.way:
        WAYS[arguments.way](arguments.storage, sorted(arguments.storage.glob("task-*.json")))
    else:
        compare(arguments.only or list(WAYS), arguments.trials, arguments.turns)


def compare(ways: Sequence[str], trials: int, turns: int) -> None:
    """Run all ways in turn and print what each has cost."""
    cpu: dict[str, list[float]] = {way: [] for way in ways}
    wall: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(turns):
        for way in ways:
            cpu_s, wall_s = _cost(way, trials)
            cpu[way].append(cpu_s)
            wall[way].append(wall_s)
    print(f"{trials} trials, {SLOTS} at a time, load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    first = statistics.median(cpu[ways[0]])
    for way in ways:
        median = statistics.median(cpu[way])
        print(
            f"  {way:32} {median:6.1f} CPU s, {statistics.median(wall[way]):6.1f} s of the clock,"
            f" {median / first:.2f} of the CPU of {ways[0]}"
        )


def _cost(way: str, trials: int) -> tuple[float, float]:
    """Run a way in a process of its own; return the processor's and the clock's seconds."""
    with tempfile.TemporaryDirectory() as folder:
        storage = Path(folder)
        _write_tasks(storage, trials)
        began = time.perf_counter()
        command = [sys.executable, "-m", "measurements.trial_peers", "--way", way, "--storage", folder]
        with (storage / "log").open("wb") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log)
            cpu_s = _watch(process)
        if process.returncode != 0:
            raise SystemExit(f"{way} has failed:\n{(storage / 'log').read_text(errors='replace')[-3000:]}")
        done = len(list(storage.glob("studies/*/trials/*/result.json")))
        if done != trials:
            raise SystemExit(f"{way} must have run {trials} trials, but {done} have a result")
        return cpu_s, time.perf_counter() - began


def _watch(process: subprocess.Popen[bytes]) -> float:
    """Wait for a process; return the processor's seconds of it and of all that it has started."""
    root = psutil.Process(process.pid)
    seen: dict[psutil.Process, float] = {}
    while process.poll() is None:
        for each in _family(root, seen):
            try:
                times = each.cpu_times()
            except psutil.Error:
                continue
            seen[each] = times.user + times.system
        time.sleep(LOOK_EVERY_S)
    return sum(seen.values())


def _family(root: psutil.Process, seen: Mapping[psutil.Process, float]) -> set[psutil.Process]:
    """Find a process and what it has started, also that whose parent is gone."""
    found = set[psutil.Process]()
    for each in (root, *seen):
        try:
            found |= {each, *each.children(recursive=True)}
        except psutil.Error:
            continue
    return found


def _write_tasks(storage: Path, trials: int) -> None:
    plan, digests = plan_toy_trials(LocalStore(storage), storage)
    for number, trial in enumerate(plan.trials[:trials]):
        task = make_task(plan, trial, digests, storage, storage)
        (storage / f"task-{number:03}.json").write_text(task.model_dump_json())


def run_one(file: Path) -> None:
    """Run the trial of a task file in this process."""
    from trainables.run_trial import run_trial  # here, as workers do: it loads torch

    events = list(run_trial(TrialTask.model_validate_json(file.read_text()), Context()))
    assert isinstance(events[-1], TrialDone)


def _this_program(storage: Path, files: Sequence[Path]) -> None:
    run_toy_trials(storage, [], cpus=SLOTS, most=len(files))


def _process_each(storage: Path, files: Sequence[Path]) -> None:
    command = [sys.executable, "-m", "measurements.trial_peers", "--task"]
    with ThreadPoolExecutor(SLOTS) as slots:
        list(slots.map(lambda file: subprocess.run([*command, file], check=True), files))


def _tune(storage: Path, files: Sequence[Path], *, reuse: bool) -> None:
    def trial(config: dict[str, Any]) -> None:
        run_one(Path(config["task"]))

    _fit(trial, storage, files, reuse=reuse)


def _torch_trainer(storage: Path, files: Sequence[Path]) -> None:
    from ray.train import RunConfig, ScalingConfig
    from ray.train.torch import TorchTrainer

    def trial(config: dict[str, Any]) -> None:
        trainer = TorchTrainer(
            lambda loop_config: run_one(Path(loop_config["task"])),
            train_loop_config=config,
            scaling_config=ScalingConfig(num_workers=1, resources_per_worker={"CPU": 1}),
            run_config=RunConfig(storage_path=str(storage / "train")),
        )
        trainer.fit()

    _fit(trial, storage, files, reuse=False, cpus=2 * SLOTS)  # each trial has a worker beside its own process


def _fit(
    trial: Callable[[dict[str, Any]], None], storage: Path, files: Sequence[Path], *, reuse: bool, cpus: int = SLOTS
) -> None:
    """Let Tune run a function for each task file."""
    import ray
    from ray import tune

    ray.init(num_cpus=cpus, include_dashboard=False, log_to_driver=False)
    tuner = tune.Tuner(
        tune.with_resources(trial, {"cpu": 1}),
        param_space={"task": tune.grid_search([str(file) for file in files])},
        tune_config=tune.TuneConfig(reuse_actors=reuse, max_concurrent_trials=SLOTS),
        run_config=tune.RunConfig(storage_path=str(storage / "tune"), verbose=0),
    )
    results = tuner.fit()
    assert not results.errors, results.errors
    ray.shutdown()


WAYS: Mapping[str, Way] = {
    "this program": _this_program,
    "Tune, actors reused": lambda storage, files: _tune(storage, files, reuse=True),
    "Tune as it is": lambda storage, files: _tune(storage, files, reuse=False),
    "Tune with TorchTrainer": _torch_trainer,
    "a process for each trial": _process_each,
}
"""Who runs the trials."""


if __name__ == "__main__":
    with told_cost():
        main()
