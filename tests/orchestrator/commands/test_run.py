"""Options of a run that do not go together are refused before anything is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.command_line import ablate


@pytest.mark.parametrize(
    ("options", "law"),
    [
        (("--max-gpu-hours", "2"), "--max-gpu-hours: must come with --until-decided"),
        (("--until-decided", "--steps", "5,3"), "--steps: must be ascending numbers of seeds from 2 on"),
        (("--until-decided", "--limit", "1"), "--limit: must be left out with --until-decided"),
    ],
)
def test_limits_that_mean_nothing_are_refused(tmp_path: Path, options: tuple[str, ...], law: str) -> None:
    done = ablate("run", "quickstart", "--toy", "--offline", *options, storage=tmp_path / "s", check=2)
    assert law in done.stderr
