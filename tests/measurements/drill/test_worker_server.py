"""Steps that were done again are counted for each time that a stage was begun again."""

from __future__ import annotations

from pathlib import Path

import pytest

from measurements.drill.worker_server import lost_steps


@pytest.mark.parametrize(
    ("steps", "lost"),
    [
        ("a 1, a 2, a 3", []),
        ("a 1, a 2, a 3, a 3, a 4", [1]),
        ("a 1, a 2, a 3, a 1, a 2, a 3, a 3", [3, 1]),
        ("a 1, b 1, a 2, b 2", []),
        ("", []),
    ],
)
def test_steps_that_are_done_again_count(steps: str, lost: list[int], tmp_path: Path) -> None:
    lines = [entry.split() for entry in steps.split(", ") if entry]
    (tmp_path / "steps").write_text("".join(f"{stage}\ttrial\t{step}\n" for stage, step in lines))
    assert lost_steps(tmp_path / "steps") == lost
