"""Measure planning: 5,000 trials, and the command `ablate plan quickstart`: ``python -m measurements.planning``."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from orchestrator.planning.plan_json import plan_json
from search_spaces.expansion.expand import plan_study
from search_spaces.study_files import load_study

GRID = """
study: large
base:
  vision: {backbone: efficientnet-lite0, resolution: 64}
  language: llama-2x96
  stages: [finetune]
  epochs: 1
  data: easy-vqa-1500
recipe: quickstart
axes:
  projector: [gelu-mlp, linear]
  vision.resize: [letterbox, naive, crop]
  vision.weights: [pretrained, random]
  epochs: [1, 1.25, 1.5, 2, 3]
  recipe.finetune.optimizer.lr: [1e-4, 2e-4, 5e-4, 1e-3, 1.5e-3, 2e-3, 3e-3]
  recipe.finetune.global_batch: [32, 64]
  stages: [[finetune], [align, finetune]]
design: grid
seeds: [1, 2, 3]
benchmarks: easy-vqa
"""


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "large.yaml"
        file.write_text(GRID)
        began = time.perf_counter()
        plan = plan_study(load_study(str(file)))
        planned = time.perf_counter()
        plan_json(plan)
        shown = time.perf_counter()
        print(f"{len(plan.trials):,} trials: planned in {planned - began:.2f} s, as JSON in {shown - planned:.2f} s")
    began = time.perf_counter()
    command = [sys.executable, "-m", "orchestrator", "plan", "quickstart", "--json"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    print(f"`ablate plan quickstart --json`, the whole process: {time.perf_counter() - began:.2f} s")


if __name__ == "__main__":
    main()
