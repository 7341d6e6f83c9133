"""Append records to a trial's spool and read them back."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, NotRequired, TypedDict

from trainables.storage import tracked_names


class DataUse(TypedDict):
    """One data source or benchmark that a trial has read."""

    name: str
    digest: str
    """SHA-256 of the content."""
    context: Literal["training", "evaluation"]
    tags: dict[str, str]
    """What was realised: `records.<stage>` and `share.<stage>`, or the number of `examples`."""


class SpoolLine(TypedDict):
    """One record. Exactly one of `metrics`, `params`, `tags`, `data`, `artifact`, `status` is there besides `ts`."""

    ts: int
    """Milliseconds since the epoch."""
    step: NotRequired[int]
    """Global optimizer step over all stages of the trial, of `system/` metrics the trial's seconds; only with
    `metrics`."""
    metrics: NotRequired[dict[str, float]]
    params: NotRequired[dict[str, str]]
    tags: NotRequired[dict[str, str]]
    data: NotRequired[list[DataUse]]
    artifact: NotRequired[dict[str, str]]
    """`name` (path in the run's artifacts) and `text`, or `name` and `path` (relative to the storage root)."""
    status: NotRequired[Literal["RUNNING", "FINISHED", "FAILED", "KILLED"]]


def is_of_machine(line: SpoolLine) -> bool:
    """Whether a record tells of the machine only. Such records say nothing of how far the trial is."""
    metrics = line.get("metrics", {})
    return bool(metrics) and all(name.startswith(tracked_names.SYSTEM) for name in metrics)


class Spool:
    """Append-only writer of one trial's spool; several attempts append to the same file."""

    def __init__(self, path: Path):
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("ab", buffering=0)
        if self._file.tell() and not _ends_with_newline(path):
            self._file.write(b"\n")  # a killed writer may leave half a line: close it, readers skip it

    def write(self, **fields: Any) -> None:
        """Append one record, in one system call; `ts` is filled in."""
        line = {"ts": int(time.time() * 1000), **fields}
        self._file.write(json.dumps(line, separators=(",", ":")).encode() + b"\n")

    def close(self) -> None:
        os.fsync(self._file.fileno())
        self._file.close()


def _ends_with_newline(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"


def read_spool(path: Path, offset: int = 0) -> Iterator[tuple[int, SpoolLine]]:
    """Complete records from a byte offset on, each with the offset behind it.

    A last line without its newline is still being written and is left for the next call; a line that is no JSON object
    was cut by a kill and is passed over.
    """
    with path.open("rb") as file:
        file.seek(offset)
        for raw in file:
            if not raw.endswith(b"\n"):
                return
            offset += len(raw)
            try:
                line = json.loads(raw)
            except ValueError:
                continue
            if isinstance(line, dict):
                yield offset, line  # type: ignore[misc]
