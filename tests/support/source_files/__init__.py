"""Small sources of every format: a module for each, found here by its `WRITERS`."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from pathlib import Path

from search_spaces.spec import SourceSpec

WRITERS: dict[str, Callable[[Path], SourceSpec]] = {
    reader: write
    for module in sorted(info.name for info in pkgutil.iter_modules(__path__))
    for reader, write in importlib.import_module(f"{__name__}.{module}").WRITERS.items()
}
"""Format -> what writes a small source of it into a folder, and says where it lies in it."""
