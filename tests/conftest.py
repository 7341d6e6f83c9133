"""One thread per process, no accelerator, no telemetry: set before any library is imported. In CI a skipped browser
test fails. An empty storage for tests of any folder."""

from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path

import hypothesis
import pytest

from trainables.storage.store import LocalStore

hypothesis.settings.register_profile("untimed", deadline=None)  # a busy machine is no error
hypothesis.settings.load_profile("untimed")

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("DS_ACCELERATOR", "cpu")
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """With CI in the environment, a test of marker `browser` that is skipped has failed: nobody would notice."""
    report = yield
    if report.skipped and os.environ.get("CI") and item.get_closest_marker("browser"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"browser tests must run in CI, but this one was skipped: {reason}"
    return report


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    """An empty storage."""
    return LocalStore(tmp_path)
