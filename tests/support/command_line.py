"""The command line as a user has it, in a process of its own, and a small study to give it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
SMALL_STUDIES = ("quickstart", "smollm2", "mini")
LARGE_STUDIES = ("prismatic/design_space", "prismatic/as_coded", "prismatic_seeds")


def ablate(*arguments: str, storage: Path, cwd: Path = ROOT, check: int | None = 0) -> subprocess.CompletedProcess[str]:
    """Run the command line as a user does, with a storage of its own, and check its exit code."""
    environment = {**os.environ, "ABLATE_STORAGE": str(storage), "PYTHONPATH": str(ROOT), "COLUMNS": "160"}
    command = [sys.executable, "-m", "orchestrator", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=environment, timeout=300)
    if check is not None:
        assert done.returncode == check, done.stderr + done.stdout
    return done


SMALL = """
study: small
question: Does it run?
base:
  vision: {backbone: efficientnet-lite0, resolution: 64}
  projector: gelu-mlp
  language: llama-2x96
  stages: [finetune]
  epochs: 1
  data: easy-vqa-1500
recipe: quickstart
axes:
  projector: [gelu-mlp, linear]
seeds: [7]
benchmarks: easy-vqa
"""
