"""Read a file of records, JSON Lines or one JSON list, with the line that every record begins in."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from search_spaces.errors import InputError
from trainables.benchmarks.files.json_words import what_is_wrong
from trainables.benchmarks.files.plain_text import read_text

_BLANKS = " \t\r\n"


class RecordLine(NamedTuple):
    """Record of a file."""

    line: int
    """Line that it begins in, from 1."""
    value: Any


def read_record_lines(path: Path) -> list[RecordLine]:
    """Read all records of a file, which may be compressed with gzip and may begin with a byte order mark.

    Raises InputError, with the line, for what is no JSON, for NaN and infinities, and for a key that is there twice.
    """
    text = read_text(path)
    first = text.lstrip(_BLANKS)[:1]
    try:
        records = list(_of_list(text) if first == "[" else _of_lines(text))
    except _AtLineError as error:
        raise InputError(f"must be {error.law}, but {error}", place=f"{path}:{error.line}") from error
    if not records:
        raise InputError("must hold at least one record, but it is empty", place=str(path))
    return records


class _AtLineError(Exception):
    """A text that is no JSON: what must hold, what does not, and the line."""

    def __init__(self, law: str, what: str, line: int):
        super().__init__(what)
        self.law, self.line = law, line


class _Refused(ValueError):
    """Something that Python reads as JSON and that has no one meaning."""


def _constant(name: str) -> NoReturn:
    raise _Refused(f"{name} is no number")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise _Refused(f"the key {twice!r} is there twice")
    return value


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_constant)


def _of_lines(text: str) -> Iterator[RecordLine]:
    """Decode one JSON value per line; empty lines are skipped."""
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                value = _DECODER.decode(line)
            except (ValueError, RecursionError) as error:
                law = "JSON Lines (one record per line) or a list of records"
                raise _AtLineError(law, _what(error), number) from error
            yield RecordLine(number, value)


def _of_list(text: str) -> Iterator[RecordLine]:
    """Decode the members of a JSON list one by one."""
    at, line = text.index("["), 1 + text.count("\n", 0, text.index("["))
    separator = "["
    while separator != "]":
        start = _skip(text, at + 1)
        line += text.count("\n", at, start)
        if separator == "[" and text[start : start + 1] == "]":
            end = start
        else:
            value, end = _member(text, start, line)
            yield RecordLine(line, value)
            line += text.count("\n", start, end)
            start, end = end, _skip(text, end)
            line += text.count("\n", start, end)
        at, separator = end, text[end : end + 1]
        if separator not in (",", "]") or not separator:
            raise _AtLineError("a JSON list of records", "it ends, or goes on without a comma", line)
    if text[at + 1 :].strip(_BLANKS):
        raise _AtLineError("one JSON list of records", "something follows it", line)


def _member(text: str, start: int, line: int) -> tuple[Any, int]:
    try:
        return _DECODER.raw_decode(text, start)
    except json.JSONDecodeError as error:
        raise _AtLineError("a JSON list of records", error.msg, error.lineno) from error
    except (ValueError, RecursionError) as error:
        raise _AtLineError("a JSON list of records", _what(error), line) from error


def _skip(text: str, at: int) -> int:
    while text[at : at + 1] and text[at] in _BLANKS:
        at += 1
    return at


def _what(error: ValueError | RecursionError) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at column {error.colno}"
    return what_is_wrong(error)
