"""One small miniature on disk for all tests of a session, and how its files are read without the program's readers."""

from __future__ import annotations

import atexit
import json
import pickle
import shutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from trainables.miniature.generate import SETS, Size, generate

SMALL = Size(images=24, training_images=40)


@cache
def folder() -> Path:
    """Draw the small miniature once per session."""
    made = Path(mkdtemp(prefix="miniature-"))
    atexit.register(shutil.rmtree, made)
    generate(SMALL, made)
    return made


def of(name: str) -> Path:
    """Find the folder of a set in the small miniature."""
    return folder() / "benchmarks" / name


def read_json(path: Path) -> Any:
    """Read a JSON file."""
    return json.loads(path.read_text())


def read_json_lines(path: Path) -> list[Any]:
    """Read a file of one JSON value per line."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def read_pickle(path: Path) -> Any:
    """Read a pickle that the program itself wrote."""
    return pickle.loads(path.read_bytes())


def files_of(root: Path) -> Iterator[tuple[str, bytes]]:
    """List every file below a folder with its bytes."""
    for path in sorted(root.rglob("*")):
        if path.is_file():
            yield str(path.relative_to(root)), path.read_bytes()


NAMES = tuple(SETS)
