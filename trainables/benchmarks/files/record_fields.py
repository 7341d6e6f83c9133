"""Read the fields of records in official files by kind; name the place of what is missing or of another kind."""

from __future__ import annotations

import sys
from typing import Any

from search_spaces.errors import InputError
from search_spaces.yaml_source import show


class Fields:
    """Record whose fields are read by kind. Every method raises InputError for a missing field or another kind."""

    def __init__(self, record: Any, place: str):
        if not isinstance(record, dict):
            raise InputError(f"a record must be an object, but got {shown_value(record)}", place=place)
        self._record, self.place = record, place

    def __contains__(self, key: str) -> bool:
        return key in self._record

    @property
    def names(self) -> list[str]:
        """Names of the fields that the record has."""
        return [str(name) for name in self._record]

    def text(self, key: str) -> str:
        value = self._get(key)
        if isinstance(value, bytes):  # Python 2 wrote text as bytes
            value = value.decode("latin-1")
        if not isinstance(value, str):
            raise self._wrong(key, "text", value)
        return value

    def label(self, key: str) -> str:
        """Read text that many records share, and keep it once in memory."""
        return sys.intern(self.text(key))

    def id(self, key: str) -> str:
        """Read a whole number or text, as text."""
        value = self._get(key)
        if isinstance(value, bool) or not isinstance(value, int | str) or value == "":
            raise self._wrong(key, "a whole number or text", value)
        return _text_of(value)

    def whole(self, key: str) -> int:
        value = self._get(key)
        if isinstance(value, str) and value.strip().lstrip("-").isascii() and value.strip().lstrip("-").isdigit():
            value = _text_to_whole(value)
        if isinstance(value, bool) or not isinstance(value, int):
            raise self._wrong(key, "a whole number", value)
        return value

    def boolean(self, key: str) -> bool:
        value = self._get(key)
        if value not in (True, False):  # 0 and 1 as well
            raise self._wrong(key, "true or false", value)
        return bool(value)

    def items(self, key: str) -> list[Any]:
        value = self._get(key)
        if not isinstance(value, list | tuple):
            raise self._wrong(key, "a list", value)
        return list(value)

    def texts(self, key: str) -> list[str]:
        values = self.items(key)
        if not all(isinstance(value, str) for value in values):
            raise self._wrong(key, "a list of texts", values)
        return values

    def box(self, key: str) -> list[float]:
        """Read four finite numbers."""
        return four_numbers(self._get(key), self.place, key)

    def record(self, key: str) -> Fields:
        return Fields(self._get(key), f"{self.place}.{key}")

    def records(self, key: str) -> list[Fields]:
        return [Fields(record, f"{self.place}.{key}[{number}]") for number, record in enumerate(self.items(key))]

    def plain(self, key: str) -> Any:
        """Read a value of any kind."""
        return self._get(key)

    def mapping(self, key: str) -> dict[str, Any]:
        value = self._get(key)
        if not isinstance(value, dict):
            raise self._wrong(key, "an object", value)
        return value

    def _get(self, key: str) -> Any:
        if key not in self._record:
            raise InputError("must be given", place=self.place, key=key)
        return self._record[key]

    def _wrong(self, key: str, kind: str, value: Any) -> InputError:
        return InputError(f"must be {kind}, but got {shown_value(value)}", place=self.place, key=key)


def four_numbers(value: Any, place: str, key: str) -> list[float]:
    """Check that a value is a list of four finite numbers, and return it.

    Args:
        value: the decoded value.
        place: file and record, for errors.
        key: the field, for errors.

    Raises:
        InputError: any other value.
    """
    numbers = isinstance(value, list | tuple) and len(value) == 4
    if not numbers or not all(isinstance(v, int | float) and not isinstance(v, bool) and abs(v) < 1e9 for v in value):
        raise InputError(f"must be four numbers, but got {shown_value(value)}", place=place, key=key)
    return list(value)


def _text_of(value: int | str) -> str:
    try:
        return str(value)
    except ValueError:  # Python refuses to write out integers of more than 4,300 digits
        return hex(value)  # type: ignore[arg-type]


def _text_to_whole(value: str) -> int | str:
    try:
        return int(value)
    except ValueError:
        return value


def shown_value(value: Any) -> str:
    """Write a value of a record for a message, short; of lists and objects the kind."""
    if isinstance(value, list | tuple | dict):
        return "an object" if isinstance(value, dict) else "a list"
    is_plain = isinstance(value, str | int | float | bool | None) and not _is_huge(value)
    text = show(value) if is_plain else repr(type(value).__name__)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _is_huge(value: Any) -> bool:
    return isinstance(value, int) and abs(value) > 10**18
