"""Prints how many generated inputs were tried, by kind."""

from __future__ import annotations

import pytest

from tests.support.broken_inputs import TRIED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Write one line with the number of inputs tried."""
    if TRIED:
        counts = ", ".join(f"{kind} {count}" for kind, count in sorted(TRIED.items()))
        terminalreporter.write_line(f"broken inputs: {sum(TRIED.values())} tried ({counts})")
