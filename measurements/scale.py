"""Measure large studies: ``python -m measurements.scale [--trials N] [--arms N] [--synced N]``.

CPU seconds (user and system) and peak memory of whole commands, each in a process of its own: the plan of a study of
100,000 arms, and the status, the report and a second run of a finished study of 5,000 trials on storage.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

from measurements.large_storage import write_finished_study

STUDY = """
study: {name}
base:
  vision: {{backbone: efficientnet-lite0, resolution: 64}}
  language: llama-2x96
  stages: [finetune]
  epochs: 1
  data: easy-vqa-1500
recipe: quickstart
axes:
  projector: [gelu-mlp, linear]
  vision.resize: [letterbox, naive]
  vision.weights: [pretrained, random]
  epochs: [{epochs}]
  recipe.finetune.optimizer.lr: [{rates}]
design: grid
seeds: {seeds}
benchmarks: easy-vqa
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--arms", type=int, default=100_000, help="of the study that is only planned")
    parser.add_argument("--trials", type=int, default=5_000, help="of the study that is on storage")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        planned = _study(root / "planned.yaml", arguments.arms, seeds=[1])
        _measure(f"plan --json of {arguments.arms:,} arms", "plan", str(planned), "--json", storage=root / "empty")
        stored, storage = _study(root / "stored.yaml", arguments.trials // 3, seeds=[1, 2, 3]), root / "storage"
        storage.mkdir()
        _, plan = write_finished_study(stored, storage, storage / "sources")
        files = sum(len(names) for _, _, names in os.walk(storage))
        print(f"storage of {len(plan.trials):,} finished trials: {files:,} files")
        for command in (["status"], ["verdicts"], ["report", "--to", "json"], ["run", "--offline"]):
            _measure(" ".join(command), command[0], str(stored), *command[1:], storage=storage)


def _study(file: Path, arms: int, seeds: list[int]) -> Path:
    """Write a grid of about so many arms: eight models, the rest of the factor in horizons and learning rates."""
    rates = max(1, round((arms / 8) ** 0.5))
    epochs = max(1, arms // (8 * rates))
    file.write_text(
        STUDY.format(
            name=file.stem,
            epochs=", ".join(f"{1 + number / 100:.2f}" for number in range(epochs)),
            rates=", ".join(f"{1e-4 * 1.01**number:.6g}" for number in range(rates)),
            seeds=seeds,
        )
    )
    return file


def _measure(what: str, *command: str, storage: Path) -> None:
    """Run a command in a process of its own, and print its CPU seconds and the most memory that it had."""
    arguments = [sys.executable, "-m", "orchestrator", *command, "--storage", str(storage)]
    with open(os.devnull, "wb") as nothing:
        actions = [(os.POSIX_SPAWN_DUP2, nothing.fileno(), 1)]
        process = os.posix_spawn(arguments[0], arguments, os.environ, file_actions=actions)
        _, status, usage = os.wait4(process, 0)
    seconds, ended = usage.ru_utime + usage.ru_stime, os.waitstatus_to_exitcode(status)
    print(f"{what}: {seconds:.1f} s of CPU, {usage.ru_maxrss / 1000:.0f} MB, exit code {ended}", flush=True)


if __name__ == "__main__":
    main()
