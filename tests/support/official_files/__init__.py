"""Small official files of every benchmark: a module for each published format, found here by its `WRITERS`."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from pathlib import Path

WRITERS: dict[str, Callable[[Path], None]] = {
    benchmark: write
    for module in sorted(info.name for info in pkgutil.iter_modules(__path__))
    for benchmark, write in importlib.import_module(f"{__name__}.{module}").WRITERS.items()
}
"""Benchmark id -> what writes a small set of it into a folder, with files of the published names."""
