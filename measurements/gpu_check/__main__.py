"""Check what is said about GPUs on one of them: ``python -m measurements.gpu_check [--small] [--only PART]``.

One process, no hub, no network. Every part prints a line of JSON, also where it fails; the last line compares them with
the plan, and so does a table on the standard error. docs/first-gpu.md says what to expect. ``--small`` shows on any
machine that the check itself runs. Ends with 1 if a part has failed or a comparison does not hold.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["HF_HUB_OFFLINE"] = "1"

from cluster.allocator import allocator_settings, workspace_setting

os.environ.update(allocator_settings(os.environ) | workspace_setting(os.environ))  # before torch, as in a worker

import torch

if not torch.cuda.is_available():
    os.environ.setdefault("DS_ACCELERATOR", "cpu")

from measurements.gpu_check.forms import FULL, SMALL
from measurements.gpu_check.run_check import all_parts, run_check


def main() -> int:
    arguments = _arguments()
    form = SMALL if arguments.small else FULL
    has_gpu = torch.cuda.is_available()
    if not has_gpu and not arguments.small:
        print("torch sees no GPU here: `--small` shows that the check itself runs", file=sys.stderr)
        return 2
    chosen = [
        part
        for part in all_parts(form)
        if part.name.startswith(tuple(arguments.only or [""])) and not part.name.startswith(tuple(arguments.without))
    ]
    holds = run_check(chosen, form, "cuda" if has_gpu else "cpu", arguments.set, arguments.folder)
    return 0 if holds else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m measurements.gpu_check", description=__doc__)
    parser.add_argument("--small", action="store_true", help="tiny models: the check itself is checked, on any machine")
    parser.add_argument("--only", action="append", default=[], metavar="PART", help="parts that begin so; repeatable")
    parser.add_argument("--without", action="append", default=[], metavar="PART", help="not these; repeatable")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a change to the study")
    parser.add_argument("--folder", type=Path, help="has room for 60 GB of weights and checkpoints; default: TMPDIR")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
