"""The settings of a run are those of the command line, then those of the study."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.planning.chosen_settings import run_settings
from orchestrator.planning.planned import PlanOptions, RunOptions
from search_spaces.expansion.expand import plan_study
from search_spaces.study_files import load_study
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
