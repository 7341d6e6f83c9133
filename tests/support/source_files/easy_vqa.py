"""Questions of the package easy-vqa about two images."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from search_spaces.spec import SourceSpec


def describe_easy_vqa(folder: Path) -> SourceSpec:
    """Describe a source of the package easy-vqa."""
    return SourceSpec(name="easy-vqa", version="1", reader="easy-vqa", options={"split": "test", "images": 2})


WRITERS: dict[str, Callable[[Path], SourceSpec]] = {"easy-vqa": describe_easy_vqa}
