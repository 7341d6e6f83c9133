"""Every measurement starts, at its smallest size, and prints figures."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from measurements.measure import MEASUREMENTS

ROOT = Path(__file__).parents[2]

SMALLEST: Mapping[str, Sequence[str]] = {
    "analysis": ("--arms", "2"),
    "blind_gains": ("--studies", "1"),
    "decision_price": ("--studies", "4"),
    "items": ("--studies", "1"),
    "leases": ("--takers", "2", "--rounds", "3"),
    "loading": ("--width", "64", "--repeats", "1"),
    "looks": ("--studies", "1"),
    "padding": ("--records", "300"),
    "planning": ("--arms", "10"),
    "questions": ("--studies", "1"),
    "scoring": ("--questions", "100"),
    "signal": ("--draws", "10"),
    "simulate": ("--only", "beside 4 x 32", "--seeds", "1"),
    "table_methods": ("--tables", "4"),
    "verdict_coverage": ("--studies", "1"),
}
"""Module -> arguments with which it takes seconds."""

LONG: Mapping[str, Sequence[str]] = {
    "answering": ("--turns", "1", "--steps", "20"),
    "checkpoints": ("--width", "64", "--turns", "1", "--steps", "2", "--disks", "500"),
    "compiled": ("--widths", "--turns", "1"),
    "critical_values": ("5",),
    "data": ("300",),
    "evaluation": (),
    "exactness": (),
    "groups": (),
    "outage": ("--seconds", "3", "--epochs", "1"),
    "peers": ("--turns", "1"),
    "predicted": ("--toy",),
    "scale": ("--arms", "10", "--trials", "3"),
    "start": ("--repeats", "1"),
    "throughput": ("--turns", "1"),
    "tracking_calls": (),
    "tracking_server": ("--trials", "2"),
    "trial_peers": ("--trials", "2"),
}
"""The same, of those that take longer: they train, write images or integrate."""

COST = re.compile(r"^\d+\.\d CPU s in \d+\.\d s; load \d+\.\d before and \d+\.\d after, on \d+ cores$")

WITH_TESTS_OF_THEIR_OWN = {"measure", "damage", "drill", "first_hour", "gpu_check", "tracking_server"}


def test_every_measurement_is_started_here() -> None:
    modules = {path.stem for path in (ROOT / "measurements").glob("*.py") if "__main__" in path.read_text()}
    packages = {path.parent.name for path in (ROOT / "measurements").glob("*/__main__.py")}
    assert {*SMALLEST, *LONG, *WITH_TESTS_OF_THEIR_OWN} == modules | packages
    assert {name.removeprefix("measurements.") for name in MEASUREMENTS} <= {*SMALLEST, *LONG}


@pytest.mark.parametrize("name", SMALLEST)
def test_a_measurement_prints_figures(name: str, tmp_path: Path) -> None:
    assert any(character.isdigit() for character in _printed(name, SMALLEST[name], tmp_path))


@pytest.mark.slow
@pytest.mark.parametrize("name", LONG)
def test_a_longer_measurement_prints_figures(name: str, tmp_path: Path) -> None:
    assert any(character.isdigit() for character in _printed(name, LONG[name], tmp_path))


@pytest.mark.slow
def test_padding_of_the_texts_of_a_shipped_study_is_measured(tmp_path: Path) -> None:
    assert "micro-batch 8: 1." in _printed("padding", ("--study", "quickstart"), tmp_path)


def _printed(name: str, arguments: Sequence[str], folder: Path) -> str:
    """Run a measurement as a process of its own, whose temporary files are in a folder, and return what it prints."""
    ran = subprocess.run(
        [sys.executable, "-m", f"measurements.{name}", *arguments],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(folder)},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-3000:]
    assert COST.search(ran.stderr.splitlines()[-1])
    return ran.stdout
