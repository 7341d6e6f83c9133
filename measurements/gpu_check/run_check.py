"""Run the check: write its data, run its parts, print a line for each, and compare them with the plan."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from measurements.gpu_check.evaluation_parts import evaluation_parts
from measurements.gpu_check.forms import Form
from measurements.gpu_check.kernel_parts import measure_attention, measure_machine, profile_steps
from measurements.gpu_check.made_data import write_data
from measurements.gpu_check.part import Part, run_parts
from measurements.gpu_check.planned import Setting
from measurements.gpu_check.ray_part import run_two_trials
from measurements.gpu_check.summary import compare, table
from measurements.gpu_check.training_parts import training_parts
from search_spaces.worker_contract import Device
from trainables.workers.process_group import ensure_single


def all_parts(form: Form) -> tuple[Part, ...]:
    """List the parts in the order in which they run."""
    return (
        Part("machine", measure_machine),
        *training_parts(form),
        *evaluation_parts(),
        Part("attention", measure_attention),
        Part("profile", profile_steps),
        Part("ray", run_two_trials),
    )


def run_check(parts: Sequence[Part], form: Form, device: Device, overrides: Sequence[str], folder: Path | None) -> bool:
    """Run some parts; lines of JSON go to the standard output, a table of comparisons to the standard error.

    Args:
        parts: of `all_parts`.
        form: sizes of what is trained and asked.
        device: that is checked.
        overrides: changes to the study, as `--set` takes them.
        folder: where temporary data, weights and checkpoints go; None for the system's own place.

    Returns:
        Whether every part has its figures, and none of them contradicts the plan.
    """
    ensure_single(device)
    with tempfile.TemporaryDirectory(dir=folder) as root:
        data, storage = Path(root, "data"), Path(root, "storage")
        data.mkdir()
        storage.mkdir()
        write_data(data, form)
        lines = []
        for line in run_parts(parts, Setting(form, device, data, storage, tuple(overrides))):
            print(line.as_json(), flush=True)
            lines.append(line)
    comparisons = compare(lines, device)
    print(json.dumps({"part": "summary", "comparisons": [asdict(comparison) for comparison in comparisons]}))
    print(table(comparisons), file=sys.stderr)
    failed = [line.part for line in lines if line.failure is not None]
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return not failed and all(comparison.holds is not False for comparison in comparisons)
