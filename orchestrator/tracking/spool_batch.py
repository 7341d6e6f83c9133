"""Gather what the records of a part of a spool say, so that a server is asked once for all of them."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from orchestrator.tracking.tracker import Point, Status
from orchestrator.tracking.upload_cursor import UploadCursor
from trainables.storage import tracked_names
from trainables.storage.artifacts import verify_examples
from trainables.storage.record_files import read_whole
from trainables.storage.records import EvaluationResult
from trainables.storage.spool import DataUse, SpoolLine, is_of_machine
from trainables.storage.store import Store

logger = logging.getLogger(__name__)


@dataclass
class SpoolBatch:
    """What a server is to be told, of several lines together."""

    status: Status
    status_ts: int
    """Since when, in milliseconds since the epoch."""
    points: list[Point] = field(default_factory=list)
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    files: dict[str, str | Path] = field(default_factory=dict)
    """Name of an artifact -> its text, or where it is on storage."""
    data: list[DataUse] = field(default_factory=list)


def gather(lines: Sequence[SpoolLine], cursor: UploadCursor, store: Store) -> SpoolBatch:
    """Gather what some lines of a trial's own spool say.

    Args:
        lines: those that follow what the server has.
        cursor: how far the server is; what is gathered is noted in it, but for offset and status.
        store: the storage, which artifacts may lie on.
    """
    batch = SpoolBatch(cursor.status, cursor.last_ts)
    for line in lines:
        batch.points += cursor.sieve.take(line)
        if is_of_machine(line):  # it may go on until its process is ended, when the failure is recorded already
            continue
        cursor.last_ts = max(cursor.last_ts, line["ts"])
        batch.params |= line.get("params", {})
        batch.tags |= line.get("tags", {})
        batch.data += line.get("data", [])
        if "artifact" in line:
            artifact = line["artifact"]
            if "path" not in artifact:
                batch.files[artifact["name"]] = artifact["text"]
            elif _is_whole(artifact["path"], store):
                batch.files[artifact["name"]] = store.reading(artifact["path"])
        if "status" in line:
            batch.status, batch.status_ts = line["status"], line["ts"]
            batch.points += cursor.sieve.flush() if batch.status != "RUNNING" else []
        elif "step" in line and batch.status != "RUNNING":
            batch.status, batch.status_ts = "RUNNING", line["ts"]  # a new attempt
    _note_non_finite(batch, cursor)
    return batch


def _is_whole(name: str, store: Store) -> bool:
    """Tell whether a file on storage is what was written, of scores per example; a warning names one that is not."""
    result = read_whole(store, str(PurePosixPath(name).with_suffix(".json")), EvaluationResult)
    damages = () if result is None or result.examples != name else verify_examples(store, result, "content").damages
    for damage in damages:
        logger.warning("%s; it is not sent", damage)
    return not damages


def _note_non_finite(batch: SpoolBatch, cursor: UploadCursor) -> None:
    """Tag the first value that is no number: charts cannot show infinities, and NaN is easily overlooked."""
    first = next((point for point in batch.points if not math.isfinite(point.value)), None)
    if first is not None and not cursor.non_finite:
        cursor.non_finite = f"{first.metric} = {first.value} at step {first.step}"
        batch.tags[tracked_names.NON_FINITE] = cursor.non_finite
