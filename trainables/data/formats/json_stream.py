"""Read the values of a JSON array or of JSON Lines as a stream, whatever the file's size, with their places in it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from json import JSONDecodeError
from pathlib import Path
from typing import Any

from search_spaces.errors import InputError
from trainables.data.formats.text_window import TextWindow
from trainables.data.refused import RefusalKind, Refuse, RefusedRecord, raise_refused

_LONGEST_RECORD = 64 << 20
"""Characters after which a record that does not end is taken for a broken file. The longest of mix665k has 60,000."""

_AFTER_NUMBER = " \t\r\n,]"
"""What a number ends before: ``1`` and ``.5`` may be in two pieces."""

_MOST_DIGITS = 4000
"""Of an integer: Python converts up to 4,300."""

_NEAR_THE_END = 16
"""Characters: an error this close to the end of what was read may be one of the cut (`fal`, `\\u00`)."""

_LAW = "must be a JSON array, or one JSON object per line"
_UNENDED = "Unterminated string"


class TooLong:
    """Integer of more digits than any id has."""


class JsonStream:
    """Values of a file, one after another. UTF-8, UTF-16 and gzip are told by the first bytes."""

    def __init__(self, file: Path):
        self._file = file
        self._repeated: list[str] = []
        self._decode = json.JSONDecoder(object_pairs_hook=_objects(self._repeated), parse_int=_integer).raw_decode
        self._number = 0
        self._line, self._column = 1, 1

    def place(self) -> str:
        """Say where the value that was read last begins: file, number, line and column."""
        return self._place(self._line, self._column)

    def _place(self, line: int, column: int) -> str:
        return f"{self._file}[{self._number}] (line {line:,}, column {column:,})"

    def values(self, refuse: Refuse = raise_refused) -> Iterator[tuple[int, Any]]:
        """Read all values with their numbers, from 0.

        A damaged line of JSON Lines is refused and the next one read; after a damaged value of an array nothing can
        be read.

        Raises:
            InputError: a file that cannot be opened, or that is of another kind.
        """
        try:
            with TextWindow(self._file) as text:
                is_array = text.peek() == "["
                text.at += is_array
                yield from self._array(text, refuse) if is_array else self._lines(text, refuse)
        except OSError as error:
            raise InputError(
                f"must be a readable file, but {error.strerror or error}", place=str(self._file)
            ) from error

    def _array(self, text: TextWindow, refuse: Refuse) -> Iterator[tuple[int, Any]]:
        following = text.peek()
        while following not in ("]", ""):
            value, problem = self._next(text)
            if problem is not None:
                refuse(problem)
                return
            if self._has_each_key_once(refuse):
                yield self._number, value
            self._number += 1
            following = text.peek()
            if following == ",":
                text.at += 1
                following = text.peek()
                if following in ("]", ""):
                    refuse(self._here(text, f"a value must follow the last comma{text.failed}"))
                    return
            elif following not in ("]", ""):
                refuse(self._here(text, f"expected ',' or ']' and found {following!r}"))
                return
        if not following:
            refuse(self._here(text, f"the array does not end{text.failed}"))
            return
        text.at += 1
        if text.peek() or text.failure:
            refuse(self._here(text, f"something follows the array{text.failed}"))

    def _lines(self, text: TextWindow, refuse: Refuse) -> Iterator[tuple[int, Any]]:
        while text.peek():
            value, problem = self._next(text)
            if problem is None:
                following = text.peek(" \t\r")
                if following not in ("\n", "", "{"):
                    problem = self._here(text, f"expected the end of the line and found {following!r}")
            if problem is not None:
                refuse(problem)
                text.skip_to_object()
            elif self._has_each_key_once(refuse):
                yield self._number, value
            self._number += 1
        if text.failure:
            refuse(self._here(text, f"the file does not end{text.failed}"))

    def _has_each_key_once(self, refuse: Refuse) -> bool:
        """Tell whether the last value has every key once; refuse it if not."""
        if self._repeated:
            keys = ", ".join(map(repr, sorted(set(self._repeated))))
            refuse(RefusedRecord("syntax", self.place(), f"an object must have each key once, but has {keys} twice"))
        return not self._repeated

    def _next(self, text: TextWindow) -> tuple[Any, RefusedRecord | None]:
        """Decode one value; one that reaches the end of the window may be incomplete and is decoded again with more."""
        self._line, self._column = text.position(text.at)
        while True:
            self._repeated.clear()
            try:
                value, end = self._decode(text.window, text.at)
            except JSONDecodeError as error:
                may_go_on = error.msg.startswith(_UNENDED) or error.pos > len(text.window) - _NEAR_THE_END
                if may_go_on and len(text.window) - text.at <= _LONGEST_RECORD and text.more():
                    continue
                return None, self._syntax(text, error)
            except RecursionError:
                return None, self._here(text, "it is nested too deeply")
            following = text.window[end : end + 1]
            if following and (following in _AFTER_NUMBER or not isinstance(value, int | float)):
                text.at = end
                return value, None
            left = len(text.window) - end
            if not text.more():
                text.at = len(text.window) - left
                return value, None

    def _syntax(self, text: TextWindow, error: JSONDecodeError) -> RefusedRecord:
        at = min(error.pos, len(text.window))
        is_cut = at == len(text.window) or error.msg.startswith(_UNENDED)
        reason = f"the value does not end ({error.msg}){text.failed}" if is_cut else error.msg
        line, column = text.position(at)
        if line == self._line:
            return self._here(text, reason, at)
        return self._here(text, f"{reason} at line {line:,}, column {column:,}")

    def _here(self, text: TextWindow, reason: str, at: int | None = None) -> RefusedRecord:
        kind: RefusalKind = "encoding" if text.is_undecodable else "syntax"
        line, column = text.position(text.at if at is None else at)
        return RefusedRecord(kind, self._place(line, column), f"{_LAW}, but {reason}")


def _integer(digits: str) -> Any:
    return int(digits) if len(digits) < _MOST_DIGITS else TooLong()


def _objects(repeated: list[str]) -> Callable[[list[tuple[str, Any]]], dict[str, Any]]:
    """Build the function that makes an object of its pairs and adds the keys that it has twice to `repeated`."""

    def make(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        values = dict(pairs)
        if len(values) == len(pairs):
            return values
        keys = [key for key, _ in pairs]
        repeated.extend(key for key in values if keys.count(key) > 1)
        return values

    return make
