"""States written to files, as an engine's are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from trainables.training.state_files import content_of, write_content


def write_state(state: dict[str, Any], path: Path) -> str:
    """Write a state to a new file and return its SHA-256."""
    return write_content(content_of(state), path)
