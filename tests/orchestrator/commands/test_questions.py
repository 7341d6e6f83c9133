"""`ablate questions` as a user calls it, on a study without scores."""

from __future__ import annotations

import json
from pathlib import Path

from tests.support.command_line import ablate


def test_study_without_scores_has_no_question_to_judge(tmp_path: Path) -> None:
    (tmp_path / "s").mkdir()
    done = ablate("questions", "quickstart", "--json", storage=tmp_path / "s")
    assert json.loads(done.stdout) == {"source": "quickstart", "benchmarks": []}
    assert "Nothing is scored yet" in ablate("questions", "quickstart", storage=tmp_path / "s").stdout
