"""Read LLaVA's records from JSON or JSON Lines, as a stream whatever their size, with images in a folder."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any, TextIO

from search_spaces.errors import InputError
from search_spaces.spec import SourceSpec
from trainables.data.files import source_path, stats
from trainables.data.record import TEXT_ONLY, Record

_CHUNK = 4 << 20
"""Characters read at a time."""

_LONGEST_RECORD = 64 << 20
"""Characters after which a record that does not end is taken for a broken file. The longest of mix665k has 60,000."""

_AFTER_NUMBER = " \t\r\n,]"
"""What a number ends before: ``1`` and ``.5`` may be in two pieces."""

_PLACEHOLDER = "<image>"

_ROLES = ("human", "gpt")


class LlavaReader:
    """Reader of `[{"id", "image"?, "conversations": [{"from": "human"|"gpt", "value"}]}]`, images in a folder.

    One object per line, without the brackets, is read as well.
    """

    def __init__(self, source: SourceSpec, data_root: Path):
        self._file = source_path(source, data_root, "its JSON file")
        self._images = data_root / source.image_folder if source.image_folder else self._file.parent

    def signature(self) -> list[list[Any]]:
        return stats([self._file])

    def records(self) -> Iterator[Record]:
        for number, row in enumerate(json_values(self._file)):
            yield llava_record(row, number, f"{self._file}[{number}]")

    def image(self, key: str) -> bytes:
        return self.image_file(key).read_bytes()

    def image_file(self, key: str) -> Path:
        return self._images / key


def json_values(file: Path) -> Iterator[Any]:
    """Read the elements of a JSON array, or the values of a JSON Lines file, one after another.

    Raises InputError naming the element that cannot be read.
    """
    number = 0
    try:
        with file.open(encoding="utf-8-sig") as text:
            for value in _values(_Text(text)):
                yield value
                number += 1
    except InputError:
        raise
    except OSError as error:
        raise InputError(f"must be a readable file, but {error}", place=str(file)) from error
    except (ValueError, RecursionError) as error:  # decoding of UTF-8 and JSON; nesting
        raise InputError(
            f"must be a JSON array, or one JSON object per line, but {error}", place=f"{file}[{number}]"
        ) from error


class _Text:
    """Window on a text: what was decoded is dropped, what is missing is read."""

    def __init__(self, file: TextIO):
        self._file = file
        self._ended = False
        self.window, self.at = "", 0

    def more(self) -> bool:
        """Read the next part of the file. Returns False at its end."""
        read = "" if self._ended else self._file.read(_CHUNK)
        self._ended = not read
        self.window, self.at = self.window[self.at :] + read, 0
        return bool(read)

    def peek(self) -> str:
        """Skip white space and return the next character, which is not consumed; "" at the end."""
        while True:
            while self.at < len(self.window):
                if not self.window[self.at].isspace():
                    return self.window[self.at]
                self.at += 1
            if not self.more():
                return ""


def _values(text: _Text) -> Iterator[Any]:
    is_array = text.peek() == "["
    if is_array:
        text.at += 1
    decode = json.JSONDecoder().raw_decode
    following = text.peek()
    while following and not (is_array and following == "]"):
        yield _next(text, decode)
        following = text.peek()
        if is_array and following == ",":
            text.at += 1
            following = text.peek()
            if following in ("]", ""):
                raise ValueError("a value must follow the last comma")
        elif is_array and following != "]":
            raise ValueError(f"expected ',' or ']' and found {following!r}" if following else "the array does not end")
    if is_array:
        if not following:
            raise ValueError("the array does not end")
        text.at += 1
        if text.peek():
            raise ValueError("something follows the array")


def _next(text: _Text, decode: Any) -> Any:
    """Decode one value; one that reaches the end of the window may be incomplete and is decoded again with more."""
    while True:
        try:
            value, end = decode(text.window, text.at)
        except ValueError:
            if len(text.window) - text.at > _LONGEST_RECORD or not text.more():
                raise
            continue
        following = text.window[end : end + 1]
        if following and (following in _AFTER_NUMBER or not isinstance(value, int | float)):
            text.at = end
            return value
        left = len(text.window) - end
        if not text.more():
            text.at = len(text.window) - left
            return value


def llava_record(row: Any, number: int, place: str) -> Record:
    """Make a record of its JSON object.

    Args:
        row: the decoded value.
        number: its position in the file, which becomes the id of a record without one.
        place: file and position, for errors.

    Raises:
        InputError: what cannot be trained on.
    """
    if not isinstance(row, dict) or not isinstance(row.get("conversations"), list):
        raise InputError("a record must be an object with a list `conversations`", place=place)
    turns = _turns(row["conversations"], place)
    image, tags = _image(row, place), _tags(row.get("tags"), place)
    if image is None:
        tags = (*(tag for tag in tags if tag != TEXT_ONLY), TEXT_ONLY)
    elif TEXT_ONLY in tags:
        raise InputError(f"the tag {TEXT_ONLY} is for records without an image, but this has {image!r}", place=place)
    return Record(_id(row.get("id"), number, place), image, turns, tags)


def _turns(conversations: list[Any], place: str) -> tuple[tuple[str, str], ...]:
    values: list[str] = []
    for number, turn in enumerate(conversations):
        role = turn.get("from") if isinstance(turn, dict) else None
        if role == "system":
            raise InputError(
                f"turns must be of human and gpt, but turn {number} is of the system",
                place=place,
                way_out="Remove it: system prompts belong to the study's prompt style.",
            )
        if role != _ROLES[number % 2]:
            raise InputError(f"turns must alternate human, gpt, but turn {number} is of {role!r}", place=place)
        values.append(_clean(_text(turn.get("value"), f"the value of turn {number}", place)))
    if len(values) < 2:
        raise InputError(f"conversations must be human, gpt pairs, but there are {len(values)} turns", place=place)
    # A last question without an answer has no target and comes after all targets: without it the loss is the same.
    return tuple(zip(values[::2], values[1::2], strict=False))


def _clean(text: str) -> str:
    """Remove image placeholders and strip; idempotent, so that a converted source reads the same."""
    while _PLACEHOLDER in text:
        text = text.replace(_PLACEHOLDER, "")
    return text.strip()


def _image(row: dict[str, Any], place: str) -> str | None:
    image = row.get("image")
    if isinstance(image, list) or row.get("images"):
        raise InputError("a record must have at most one image, but this has a list of images", place=place)
    if image is None:
        return None
    key = _text(image, "`image`", place)
    path = PurePosixPath(key)
    if not key.strip() or "\x00" in key or path.is_absolute() or ".." in path.parts:
        raise InputError(
            f"`image` must be a path inside of the image folder, but got {key!r}",
            place=place,
            way_out="Write it relative to the source's `image_folder`, without `..`.",
        )
    return key


def _tags(tags: Any, place: str) -> tuple[str, ...]:
    if not isinstance(tags, list | tuple | type(None)):
        raise InputError(f"`tags` must be a list, but is {type(tags).__name__}", place=place)
    return tuple(_text(tag, "a tag", place) for tag in tags or ())


def _id(value: Any, number: int, place: str) -> str:
    if value is None:
        return str(number)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return _text(value, "`id`", place)


def _text(value: Any, what: str, place: str) -> str:
    if not isinstance(value, str):
        raise InputError(f"{what} must be text, but is {type(value).__name__}", place=place)
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise InputError(f"{what} must be Unicode text, but {error.reason} at {error.start}", place=place) from None
    return value
