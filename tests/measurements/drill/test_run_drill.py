"""Whole runs that something was killed in come out as undisturbed. `make drill` kills more, and more kinds."""

from __future__ import annotations

from pathlib import Path

import pytest

from measurements.drill.outcome import OUTCOMES, read_outcomes
from measurements.drill.run_drill import drill_runs


@pytest.mark.drill
@pytest.mark.ray
@pytest.mark.timeout(3600)
def test_runs_whose_power_or_driver_is_gone_end_as_undisturbed(tmp_path: Path) -> None:
    drill_runs(tmp_path, 2, seed=5, victims=("power cut", "driver KILL"), shapes=("1w-zero0",))
    outcomes = list(read_outcomes(tmp_path / OUTCOMES))
    assert [outcome.kind for outcome in outcomes if outcome.is_hit] == ["power cut", "driver KILL"]
    assert {outcome.number: outcome.differences for outcome in outcomes} == {1: [], 2: []}
