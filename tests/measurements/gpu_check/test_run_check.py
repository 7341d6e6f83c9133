"""The check of a GPU runs as a user starts it; in its small form on any machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from measurements.gpu_check.forms import SMALL
from measurements.gpu_check.run_check import all_parts

ROOT = Path(__file__).parents[3]


def checked(folder: Path, *arguments: str) -> tuple[list[dict[str, Any]], subprocess.CompletedProcess[str]]:
    """Run the small check on the CPU; returns its lines, and how it ended."""
    command = [sys.executable, "-m", "measurements.gpu_check", "--small", "--folder", str(folder), *arguments]
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "", "DS_ACCELERATOR": "cpu", "OMP_NUM_THREADS": "1"}
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    return [json.loads(line) for line in ended.stdout.splitlines()], ended


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    lines, ended = checked(tmp_path_factory.mktemp("check"), "--without", "ray")
    assert ended.returncode == 0, ended.stderr
    return {line["part"]: line for line in lines}


def test_every_part_has_figures_and_the_last_line_compares_them(small: dict[str, dict[str, Any]]) -> None:
    names = [part.name for part in all_parts(SMALL) if part.name != "ray"]
    assert list(small) == [*names, "summary"]
    assert {name: line["failure"] for name, line in small.items() if "failure" in line} == {}


def test_losses_are_equal_however_a_step_is_laid_out(small: dict[str, dict[str, Any]]) -> None:
    judged = {each["figure"]: each["holds"] for each in small["summary"]["comparisons"] if "losses" in each["figure"]}
    assert len(judged) > len(SMALL.micro_batches)
    assert set(judged.values()) == {True}


def test_stages_and_evaluations_leave_nothing_behind(small: dict[str, dict[str, Any]]) -> None:
    left = {name: line["left_bytes"] for name, line in small.items() if "left_bytes" in line}
    assert left.keys() == {"align", "evaluation own-pictures", "evaluation shared-pictures"}
    assert {name: size for name, size in left.items() if size > 100_000} == {}


def test_weights_and_optimizer_take_what_the_plan_says(small: dict[str, dict[str, Any]]) -> None:
    ratios = {
        name: line["resident_bytes"] / line["planned_resident_bytes"]
        for name, line in small.items()
        if line.get("zero") == 2  # ZeRO 3 keeps tensors as small as all of these on every rank
    }
    assert ratios
    assert {name: ratio for name, ratio in ratios.items() if abs(ratio - 1) > 0.15} == {}


def test_packed_rows_and_dropped_padding_compute_what_is_needed(small: dict[str, dict[str, Any]]) -> None:
    whole, half = SMALL.micro_batches
    dropped = small[f"layout {half}x{whole // half} padding dropped"]
    assert dropped["positions_computed"] == dropped["positions_needed"]
    assert small[f"layout {whole}x1"]["positions_computed"] > 1.1 * dropped["positions_computed"]


def test_a_stage_goes_on_from_its_checkpoint(small: dict[str, dict[str, Any]]) -> None:
    figures = small["checkpoint"]
    assert figures["resumed_at"] == SMALL.few_steps // 2
    assert figures["losses_after_resume"] == figures["losses"]


def test_a_copy_of_the_state_has_the_digest_of_what_a_step_would_have_waited_for(
    small: dict[str, dict[str, Any]],
) -> None:
    figures = small["checkpoint copy"]
    assert figures["digest_of_copy"] == figures["digest_waited_for"] != figures["digest_after_steps"]
    judged = [each for each in small["summary"]["comparisons"] if each["figure"].startswith("checkpoint copy")]
    assert [each["holds"] for each in judged] == [True]


@pytest.mark.slow
@pytest.mark.ray
def test_the_second_of_two_trials_through_ray_runs_in_the_processes_of_the_first(tmp_path: Path) -> None:
    lines, ended = checked(tmp_path, "--only", "ray")
    assert lines[0].get("failure") is None, ended.stderr
    assert (lines[0]["trials_done"], lines[0]["groups_started"], lines[0]["groups_reused"]) == (2, 1, 1)
