"""Measure planning, in CPU seconds: ``python -m measurements.planning [--arms N]``.

A study of so many arms with three seeds each (4,704 trials by default), and `ablate plan quickstart`.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from measurements.cost import told_cost
from orchestrator.planning.plan_json import plan_json
from search_spaces.expansion.expand import plan_study
from search_spaces.study_files import load_study

GRID = """
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


def write_grid(file: Path, arms: int, seeds: Sequence[int]) -> Path:
    """Write a grid of about so many arms: eight models, the rest of the factor in horizons and learning rates."""
    rates = max(1, round((arms / 8) ** 0.5))
    epochs = max(1, arms // (8 * rates))
    file.write_text(
        GRID.format(
            name=file.stem,
            epochs=", ".join(f"{1 + number / 100:.2f}" for number in range(epochs)),
            rates=", ".join(f"{1e-4 * 1.01**number:.6g}" for number in range(rates)),
            seeds=list(seeds),
        )
    )
    return file


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--arms", type=int, default=5_000 // 3, help="about so many")
    arms = parser.parse_args().arms
    with tempfile.TemporaryDirectory() as folder:
        study = load_study(str(write_grid(Path(folder) / "large.yaml", arms, seeds=[1, 2, 3])))
        began = time.process_time()
        plan = plan_study(study)
        planned = time.process_time()
        plan_json(plan)
        shown = time.process_time()
        print(f"{len(plan.trials):,} trials: planned in {planned - began:.2f} s, as JSON in {shown - planned:.2f} s")
    command = [sys.executable, "-m", "orchestrator", "plan", "quickstart", "--json"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"`ablate plan quickstart --json`, the whole process: {usage.ru_utime + usage.ru_stime:.2f} s")


if __name__ == "__main__":
    with told_cost():
        main()
