"""`ablate noise` trains the base with its seeds once, keeps their spread, and plans reckon with it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.command_line import ablate


def test_a_limit_is_refused(tmp_path: Path) -> None:
    done = ablate("noise", "quickstart", "--toy", "--limit", "1", storage=tmp_path, check=2)
    assert "--limit" in done.stderr


@pytest.mark.ray
def test_noise_runs_the_base_and_the_study_trains_none_of_it_again(tmp_path: Path) -> None:
    toy = ("quickstart", "--toy", "--offline", "--cpus", "1")
    noise = json.loads(ablate("noise", *toy, "--seeds", "2", "--json", storage=tmp_path).stdout)
    assert noise["seeds"] == [7, 8]
    assert [row["benchmark"] for row in noise["rows"]][-1] == "mean of all"
    stages = sorted(path.name for path in (tmp_path / "stages").iterdir())
    assert len(stages) == 2
    ran = json.loads(ablate("run", *toy, "--limit", "2", "--json", storage=tmp_path).stdout)
    assert ran["counts"]["done"] == 2
    assert sorted(path.name for path in (tmp_path / "stages").iterdir()) == stages
    assert "the noise floor of 2 seeds of the base" in ablate("plan", "quickstart", "--toy", storage=tmp_path).stdout
