"""Append records to a trial's spool and read them back."""

from __future__ import annotations

import json
import logging
import os
import time
import zlib
from collections.abc import Callable, Iterator
from typing import Any, Literal, NotRequired, TypedDict, TypeGuard

from search_spaces.names import is_inside
from trainables.storage import tracked_names
from trainables.storage.store import Store

logger = logging.getLogger(__name__)


class DataUse(TypedDict):
    """Data source or benchmark that a trial has read."""

    name: str
    digest: str
    """SHA-256 of the content."""
    context: Literal["training", "evaluation"]
    tags: dict[str, str]
    """What was realised: `records.<stage>` and `share.<stage>`, or the number of `examples`."""


class SpoolLine(TypedDict):
    """Record of a spool: `ts` and exactly one of `metrics`, `params`, `tags`, `data`, `artifact`, `status`."""

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
    """Check whether a record holds system metrics only, which do not show the progress of the trial."""
    metrics = line.get("metrics", {})
    return bool(metrics) and all(name.startswith(tracked_names.SYSTEM) for name in metrics)


_CHECKSUM = b',"~":"'
"""What stands before the CRC-32 of a line, its last field; lines of earlier versions have none."""


def _is_changed(raw: bytes) -> bool:
    """Tell whether a line has a checksum that is not that of its content."""
    at = raw.rfind(_CHECKSUM)
    return at >= 0 and raw[at + len(_CHECKSUM) :].rstrip() != b'%08x"}' % zlib.crc32(raw[:at] + b"}")


class Spool:
    """Writer that appends to one trial's spool; several attempts append to the same file."""

    def __init__(self, store: Store, name: str):
        self._file = store.append(name)
        if not _is_empty_or_whole(store, name):
            self._file.write(b"\n")  # a killed writer may leave half a line: close it, readers skip it

    def write(self, **fields: Any) -> None:
        """Append one record, in one system call; `ts` is filled in."""
        line = json.dumps({"ts": int(time.time() * 1000), **fields}, separators=(",", ":")).encode()
        self._file.write(line[:-1] + _CHECKSUM + b'%08x"}\n' % zlib.crc32(line))

    def close(self) -> None:
        self._file.close()


def _is_empty_or_whole(store: Store, name: str) -> bool:
    with store.open(name) as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - 1))
        return size == 0 or file.read(1) == b"\n"


def read_spool(store: Store, name: str, offset: int = 0) -> Iterator[tuple[int, SpoolLine]]:
    """Read complete records from a byte offset on, each with the offset after it.

    A last line without its newline is still being written and is left for the next call; a line that is no record was
    cut by a kill or damaged on the disk: it is skipped, and their number is logged.

    Args:
        store: the storage.
        name: of the spool.
        offset: bytes to skip: 0, or an offset that an earlier call has yielded.
    """
    num_skipped = num_changed = 0
    with store.open(name) as file:
        file.seek(offset)
        for raw in file:
            if not raw.endswith(b"\n"):
                break
            offset += len(raw)
            try:
                line = json.loads(raw)
            except (ValueError, RecursionError):
                line = None
            if _is_record(line) and _is_changed(raw):
                num_changed += 1
            elif _is_record(line):
                line.pop("~", None)  # type: ignore[typeddict-item]
                yield offset, line
            else:
                num_skipped += bool(raw.strip())
    if num_changed:
        logger.warning("%s: %d lines are not what was written and are passed over", store.place(name), num_changed)
    if num_skipped:
        logger.info("%s: %d lines are no records and were passed over", store.place(name), num_skipped)


def _is_record(line: object) -> TypeGuard[SpoolLine]:
    """Check that a line has a time, and that each field known here is of its type; others are of a newer version.

    There are millions of lines, so only what would break a reader is looked at.
    """
    if not isinstance(line, dict) or type(line.get("ts")) is not int:
        return False
    return all(_IS_OF_ITS_TYPE[name](value) for name, value in line.items() if name in _IS_OF_ITS_TYPE)


_NUMBERS, _TEXTS = frozenset((int, float)), frozenset((str,))


def _are_numbers(value: object) -> bool:
    return isinstance(value, dict) and _NUMBERS.issuperset(map(type, value.values()))


def _are_texts(value: object) -> bool:
    return isinstance(value, dict) and _TEXTS.issuperset(map(type, value.values()))


def _is_artifact(value: object) -> bool:
    """Check an artifact; one that would be read or written elsewhere than below its folder is none."""
    if not (isinstance(value, dict) and _are_texts(value) and value.get("name") and is_inside(value["name"])):
        return False
    return "text" in value or ("path" in value and is_inside(value["path"]))


def _is_data(value: object) -> bool:
    return isinstance(value, list) and all(
        isinstance(use, dict)
        and _are_texts({name: use.get(name) for name in ("name", "digest", "context")})
        and _are_texts(use.get("tags"))
        for use in value
    )


_IS_OF_ITS_TYPE: dict[str, Callable[[object], bool]] = {
    "step": lambda value: type(value) is int,
    "metrics": _are_numbers,
    "params": _are_texts,
    "tags": _are_texts,
    "data": _is_data,
    "artifact": _is_artifact,
    "status": lambda value: value in ("RUNNING", "FINISHED", "FAILED", "KILLED"),
}
