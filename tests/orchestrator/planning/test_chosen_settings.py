"""The settings of a run are those of the command line, then those of the study."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.planning.chosen_settings import run_settings
from orchestrator.planning.planned import PlanOptions, RunOptions
from search_spaces.expansion.expand import plan_study
from search_spaces.study_files import load_study
from search_spaces.worker_contract import LauncherName
from tests.support.small_studies import BASE


@pytest.mark.parametrize(
    ("typed", "of_study", "interface"),
    [
        (None, "", None),
        (None, "resources: {interface: eth0}\n", "eth0"),
        ("ib0", "resources: {interface: eth0}\n", "ib0"),
    ],
)
def test_the_network_interface_is_the_command_lines_then_the_studys(
    typed: str | None, of_study: str, interface: str | None, tmp_path: Path
) -> None:
    file = tmp_path / "study.yaml"
    file.write_text(BASE + of_study)
    study = load_study(str(file))
    options = replace(RunOptions(PlanOptions(tmp_path, tmp_path), interface=typed), retries=5, max_concurrent=2)
    settings = run_settings(study, plan_study(study), options)
    assert (settings.interface, settings.budgets.lost, settings.max_concurrent) == (interface, 5, 2)


@pytest.mark.parametrize(("typed", "hours"), [(None, 3.0), (1.0, 1.0), (50.0, 50.0)])
def test_the_gpu_hours_are_the_command_lines_then_the_studys_less_what_is_spent(
    typed: float | None, hours: float, tmp_path: Path
) -> None:
    file = tmp_path / "study.yaml"
    file.write_text(BASE + "budget: {gpu_hours: 3}\n")
    study = load_study(str(file))
    options = RunOptions(PlanOptions(tmp_path, tmp_path), max_gpu_hours=typed)
    settings = run_settings(study, plan_study(study), options, spent_gpu_s=600.0)
    assert settings.gpu_seconds_left == hours * 3600 - 600


def test_a_budget_of_gpu_hours_moves_no_key(tmp_path: Path) -> None:
    file, keys = tmp_path / "study.yaml", []
    for budget in ("", "budget: {gpu_hours: 3}\n"):
        file.write_text(BASE + budget)
        keys.append([node.key for node in plan_study(load_study(str(file))).nodes.values()])
    assert keys[0] == keys[1]


@pytest.mark.parametrize(
    ("typed", "of_study", "launcher"),
    [
        (None, "", "gang"),
        (None, "resources: {launcher: ray-train}\n", "ray-train"),
        ("gang", "resources: {launcher: ray-train}\n", "gang"),
        ("ray-train", "", "ray-train"),
    ],
)
def test_the_launcher_is_the_command_lines_then_the_studys(
    typed: LauncherName | None, of_study: str, launcher: LauncherName, tmp_path: Path
) -> None:
    file = tmp_path / "study.yaml"
    file.write_text(BASE + of_study)
    study = load_study(str(file))
    options = RunOptions(PlanOptions(tmp_path, tmp_path), launcher=typed)
    assert run_settings(study, plan_study(study), options).launcher == launcher
