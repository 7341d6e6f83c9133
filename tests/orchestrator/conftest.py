"""The file of a small study, for tests of the orchestrator."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.command_line import SMALL


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """The file of a small study."""
    file = tmp_path / "small.yaml"
    file.write_text(SMALL)
    return file
