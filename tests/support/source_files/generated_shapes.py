"""Drawn shapes, as many as by default."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from search_spaces.spec import SourceSpec


def describe_generated(folder: Path) -> SourceSpec:
    """Describe a source of generated shapes."""
    return SourceSpec(name="generated", version="1", reader="generated")


WRITERS: dict[str, Callable[[Path], SourceSpec]] = {"generated": describe_generated}
