"""One thread per process, no accelerator, no telemetry: set before any library is imported. In CI a skipped browser
test fails, and so does one that leaves a variable behind that commands read. An empty storage for tests of any folder.
How many generated inputs were tried stands at the end."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from tests.support.broken_inputs import TRIED
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


@pytest.hookimpl
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Send what a worker of pytest-xdist has tried to the process that prints."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["tried"] = dict(TRIED)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Add up what a worker of pytest-xdist has tried; one that crashed sent nothing."""
    TRIED.update(getattr(node, "workeroutput", {}).get("tried", {}))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Write one line with the number of generated inputs tried, by kind."""
    if TRIED:
        counts = ", ".join(f"{kind} {count}" for kind, count in sorted(TRIED.items()))
        terminalreporter.write_line(f"broken inputs: {sum(TRIED.values())} tried ({counts})")


READ_BY_COMMANDS = (
    "ABLATE_DATA",
    "ABLATE_STORAGE",
    "CUDA_VISIBLE_DEVICES",
    "MLFLOW_TRACKING_URI",
    "PYTHONPATH",
    "RAY_ADDRESS",
    "RAY_API_SERVER_ADDRESS",
)


@pytest.fixture(autouse=True, scope="module")
def _variables_that_commands_read() -> Iterator[None]:
    """Fail where a file of tests has changed what commands in its process read of the environment."""
    before = {name: os.environ.get(name) for name in READ_BY_COMMANDS}
    yield
    assert {name: os.environ.get(name) for name in READ_BY_COMMANDS} == before


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    """An empty storage."""
    return LocalStore(tmp_path)
