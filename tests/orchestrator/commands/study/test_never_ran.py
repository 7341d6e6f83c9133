"""Report, status and logs of a study that never ran say so."""

from __future__ import annotations

import json
from pathlib import Path

from tests.support.command_line import ablate


def test_report_and_status_of_a_study_that_never_ran_say_so(small: Path, tmp_path: Path) -> None:
    assert "small" in ablate("report", str(small), storage=tmp_path).stdout
    status = json.loads(ablate("status", str(small), "--json", storage=tmp_path).stdout)
    assert status["counts"]["pending"] == 2


def test_logs_of_an_unknown_trial_exit_with_2(tmp_path: Path) -> None:
    assert "nothing-s7" in ablate("logs", "nothing-s7", storage=tmp_path, check=2).stderr
