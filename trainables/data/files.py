"""Locate the files of a source and take the attributes by which a change of them is noticed."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from search_spaces.errors import InputError
from search_spaces.spec import SourceSpec


def source_path(source: SourceSpec, data_root: Path, what: str) -> Path:
    """Locate the existing file or folder that a source names.

    Args:
        source: the source.
        data_root: folder that its path starts at.
        what: what must be there, for the error.

    Raises:
        InputError: the source names no path, or nothing is there.
    """
    if source.path is None:
        raise InputError(f"a {source.reader} source needs `path`, {what}", key=f"sources.{source.name}")
    path = data_root / source.path
    if not path.exists():
        elsewhere = f"name another folder than {data_root} with --data or ABLATE_DATA"
        if Path(source.path).is_absolute():
            elsewhere = "name what is there"
        raise InputError(
            f"the data of source {source.name!r} must be at {path}, but there is nothing",
            key=f"sources.{source.name}.path",
            way_out=f"Put it there, or {elsewhere}.",
        )
    return path


def stats(files: Iterable[Path]) -> list[list[Any]]:
    """Read (name, size in bytes, time of change in ns) of each file that exists."""
    entries = []
    for file in files:
        try:
            stat = file.stat()
        except FileNotFoundError:
            continue
        entries.append([str(file), stat.st_size, stat.st_mtime_ns])
    return entries
