"""Read and write the records on storage: one file, one frozen typed value, JSON with sorted keys.

What holds for every kind of record:

- A file that is not there is no error: `read` returns None.
- A field that this version does not know is ignored: a newer version wrote it, and whatever it means, the fields
  known here mean what they always did. A field whose meaning changes gets another name.
- A field that is missing is an error, unless it came after the first version: then it has a default. Values are never
  converted: text is no number, a list is no mapping.
- A record ends with a checksum, the field `~checksum`; records of earlier versions have none.
- A file that is empty, cut, no JSON, or of another type is never used, and never counts as absent silently.

What a damaged file leads to depends on what is lost with it:

- What only a person can give back refuses, with the file's name (`read`): claims, looks at their results, added seeds,
  and the copies of study and plan. So do results, where nobody asks for less.
- Everything else counts as absent, with a warning that names the file: results of stages, features, evaluations and
  trials are made again by a run (`orchestrator.state.ledger` reads them), failures and tasks of attempts are dropped
  (`read_or_drop`), caches and positions are made again by whoever needs them (`read_or_redo`).
"""

from __future__ import annotations

import json
import logging
import zlib
from typing import TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from search_spaces.errors import InputError
from search_spaces.typed import adapter
from trainables.storage.store import Store

R = TypeVar("R")

_SHOWN_PROBLEMS = 3

logger = logging.getLogger(__name__)


def read(store: Store, name: str, kind: type[R]) -> R | None:
    """Read a record, or return None if there is no file of that name (or it was removed meanwhile).

    Args:
        store: the storage.
        name: of the file, relative to the storage root.
        kind: what the file holds: a frozen dataclass or a pydantic model.

    Raises:
        InputError: if the file does not hold a whole record of that kind; it names the file and the first fields.
    """
    if not store.exists(name):
        return None
    try:
        data = store.get(name)
    except FileNotFoundError:
        return None
    body, is_whole = _without_checksum(data)
    problem, cause = None if is_whole else "its content is not what was written (its checksum differs)", None
    try:
        record = adapter(kind).validate_json(body, strict=True)
    except ValidationError as error:
        problem, cause = _what_is_wrong(data, error), error
    if problem is None:
        return record
    raise InputError(
        f"must be a complete record as this program writes it, but {problem}",
        place=store.place(name),
        way_out="Remove the file and run the study again; everything else is kept.",
    ) from cause


def read_whole(store: Store, name: str, kind: type[R]) -> R | None:
    """Read a record, or return None if it is not there or damaged: for those who look for damage themselves.

    Args:
        store: the storage.
        name: of the file, relative to the storage root.
        kind: what the file holds: a frozen dataclass or a pydantic model.
    """
    try:
        return read(store, name, kind)
    except InputError:
        return None


def read_or_redo(store: Store, name: str, kind: type[R]) -> R | None:
    """Read a record that can be made again: a damaged one counts as absent, and a warning names the file.

    Args:
        store: the storage.
        name: of the file, relative to the storage root.
        kind: what the file holds: a frozen dataclass or a pydantic model.
    """
    return read_or_drop(store, name, kind, "it is made again")


def read_or_drop(store: Store, name: str, kind: type[R], consequence: str) -> R | None:
    """Read a record that is not needed: a damaged one counts as absent, and a warning names it and the consequence.

    Args:
        store: the storage.
        name: of the file, relative to the storage root.
        kind: what the file holds: a frozen dataclass or a pydantic model.
        consequence: what is done, or known, without it.
    """
    try:
        return read(store, name, kind)
    except InputError as error:
        logger.warning("%s: %s; %s", error.place, error.law, consequence)
        return None


def write(store: Store, name: str, record: object) -> None:
    """Write a record, whole or not at all.

    Args:
        store: the storage.
        name: of the file, relative to the storage root.
        record: an instance of the kind that the file is read as.
    """
    plain = adapter(type(record)).dump_python(record, mode="json", by_alias=True)
    store.put(name, _with_checksum(json.dumps(plain, indent=1, sort_keys=True).encode()))


_CHECKSUM = b',\n "~checksum": "'
"""What stands before the checksum, the last field of a record: a digit that changes would make another valid record."""
_END = b'"\n}'


def _with_checksum(body: bytes) -> bytes:
    """Add the CRC-32 of a JSON object as its last field; what is no object, or an empty one, stays as it is."""
    if not body.endswith(b"\n}"):
        return body
    return body[:-2] + _CHECKSUM + b"%08x" % zlib.crc32(body) + _END


def _without_checksum(data: bytes) -> tuple[bytes, bool]:
    """Return a record as it was before its checksum was added, and whether that is right; true where there is none."""
    at = data.rfind(_CHECKSUM)
    if at < 0 or not data.endswith(_END):
        return data, True
    body = data[:at] + b"\n}"
    return body, data[at + len(_CHECKSUM) : -len(_END)] == b"%08x" % zlib.crc32(body)


def _what_is_wrong(data: bytes, error: ValidationError) -> str:
    if not data.strip():
        return "it is empty"
    problems = [_problem(detail) for detail in error.errors(include_url=False)]
    more = len(problems) - _SHOWN_PROBLEMS
    return "; ".join(problems[:_SHOWN_PROBLEMS]) + (f"; and {more} more" if more > 0 else "")


def _problem(detail: ErrorDetails) -> str:
    key = ".".join(map(str, detail["loc"]))
    if detail["type"] == "json_invalid":
        return f"it cannot be read as JSON ({detail['ctx']['error']})"
    if detail["type"] == "missing":
        return f"the field {key!r} is missing"
    law = detail["msg"].replace("Input should be", "must be")
    return f"{key!r} {law}" if key else f"it {law}"
