"""Take text for text and nothing else: what people read as text has more than one form as a number or a list."""

from __future__ import annotations

from typing import Any

from trainables.data.formats.json_stream import TooLong
from trainables.data.refused import RecordError

_NAMES: dict[type, str] = {
    type(None): "null",
    bool: "a boolean",
    int: "a number",
    float: "a number",
    str: "text",
    list: "a list",
    dict: "an object",
    bytes: "bytes",
    TooLong: "a number of too many digits",
}


def text_of(value: Any, what: str) -> str:
    """Return a value that is Unicode text. Raises RecordError for everything else; `what` names the value in it."""
    if not isinstance(value, str):
        raise RecordError("text", f"{what} must be text, but is {type_name(value)}")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise _not_unicode(value, what, error.start) from None
    return value


def type_name(value: Any) -> str:
    """Name the type of a decoded value as JSON does."""
    return _NAMES.get(type(value), type(value).__name__)


def _not_unicode(value: str, what: str, at: int) -> RecordError:
    """Tell a byte that is not UTF-8, which was kept as a surrogate, from half of a pair that was written as one."""
    code = ord(value[at])
    if 0xDC80 <= code <= 0xDCFF:
        law = f"{what} must be UTF-8, but has the byte 0x{code - 0xDC00:02x} at character {at}"
        return RecordError("encoding", law, "Save the file as UTF-8.")
    return RecordError("encoding", f"{what} must be Unicode text, but has half of a surrogate pair at character {at}")
