"""Read and write the records on storage: one file, one frozen typed value, JSON with sorted keys.

What holds for every kind of record:

- A file that is not there is no error: `read` returns None.
- A field that this version does not know is ignored: a newer version wrote it, and whatever it means, the fields
  known here mean what they always did. A field whose meaning changes gets another name.
- A field that is missing is an error, unless it came after the first version: then it has a default. Values are never
  converted: text is no number, a list is no mapping.
- A file that is empty, cut, no JSON, or of another type is never used, and never counts as absent silently.

What a damaged file leads to depends on what is lost with it:

- Results refuse, with the file's name (`read`): of stages, features, evaluations and trials, failures, claims, looks
  at their results, added seeds, and the task of an interrupted attempt. They are what was asked for, and only a person
  can decide to spend the work again.
- Caches and positions are made again, with a warning that names the file (`read_or_redo`): digests, the manifests of
  prepared sources and of conversions, facts of encoders and language models, how far a tracking server is, a
  noise floor, the curve of a stage, and where attempts have begun its stages, which are only shown.
"""

from __future__ import annotations

import json
import logging
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
    try:
        return adapter(kind).validate_json(data, strict=True)
    except ValidationError as error:
        raise InputError(
            f"must be a whole record as this program writes it, but {_what_is_wrong(data, error)}",
            place=store.place(name),
            way_out="Remove the file and run the study again; everything else is kept.",
        ) from error


def read_or_redo(store: Store, name: str, kind: type[R]) -> R | None:
    """Read a record that can be made again: a damaged one counts as absent, and a warning names the file.

    Args:
        store: the storage.
        name: of the file, relative to the storage root.
        kind: what the file holds: a frozen dataclass or a pydantic model.
    """
    try:
        return read(store, name, kind)
    except InputError as error:
        logger.warning("%s: %s; it is made again", error.place, error.law)
        return None


def write(store: Store, name: str, record: object) -> None:
    """Write a record, whole or not at all.

    Args:
        store: the storage.
        name: of the file, relative to the storage root.
        record: an instance of the kind that the file is read as.
    """
    plain = adapter(type(record)).dump_python(record, mode="json", by_alias=True)
    store.put(name, json.dumps(plain, indent=1, sort_keys=True).encode())


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
