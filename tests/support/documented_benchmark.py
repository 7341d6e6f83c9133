"""Load the example of docs/benchmarks.md as if its files had been added."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType

from search_spaces.catalogue.official_sets import OfficialSetEntry
from search_spaces.typed import typed
from search_spaces.yaml_source import parse

PAGE = Path(__file__).parents[2] / "docs" / "benchmarks.md"
_STEP = re.compile(r"^\*\*\d+\. ([^*]+)\*\*", re.MULTILINE)
"""Where the page turns to a file: `**1. The module**`."""
_BLOCK = re.compile(r"^```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@cache
def documented_files() -> Mapping[str, str]:
    """Read the code blocks of the page's recipe: title of the step -> text of its file."""
    _, *steps = _STEP.split(PAGE.read_text(encoding="utf-8").partition("## Adding an official benchmark")[2])
    blocks = {title: _BLOCK.search(text) for title, text in zip(steps[::2], steps[1::2], strict=True)}
    return {title: block[1] for title, block in blocks.items() if block}


@cache
def documented_module(step: str) -> ModuleType:
    """Import one of the recipe's Python files, without adding it to a package."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "clockqa.py"
        file.write_text(documented_files()[step])
        spec = importlib.util.spec_from_file_location(f"documented: {step}", file)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module


def documented_entries() -> Mapping[str, OfficialSetEntry]:
    """Read the recipe's entry of the catalogue."""
    return typed(dict[str, OfficialSetEntry], parse(documented_files()["The catalogue"], PAGE.name))
