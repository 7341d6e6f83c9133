"""Read the text of a file as programs and people save it: UTF-8 or UTF-16, with or without a mark, plain or gzipped."""

from __future__ import annotations

import codecs
import gzip
import zlib
from pathlib import Path

from search_spaces.errors import InputError
from search_spaces.regular_files import read_regular
from trainables.benchmarks.files.binary_kinds import binary_kind

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""Byte order marks, the longer of two with one beginning first."""
_POINTER = "version https://git-lfs.github.com/"
_LOOKED_AT = 4096


def read_bytes(path: Path) -> bytes:
    """Read a file, unpacked where it is gzipped. Raises InputError for one that cannot be read or is cut off."""
    try:
        data = read_regular(path)
        return gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"must be a complete gzip file, but {error or 'it is cut off'}", place=str(path)) from error
    except OSError as error:
        raise InputError(f"must be readable, but {error.strerror or error}", place=str(path)) from error


def read_text(path: Path) -> str:
    """Read a text file; line ends become `\\n`.

    Raises:
        InputError: for what is no text in UTF-8 or UTF-16, for an HTML page and for a pointer of Git LFS.
    """
    return text_of(read_bytes(path), str(path))


def text_of(data: bytes, place: str) -> str:
    """Decode the bytes of a text file; line ends become `\\n`.

    Args:
        data: content of the file.
        place: the file, for errors.

    Raises:
        InputError: for what is no text in UTF-8 or UTF-16, for an HTML page and for a pointer of Git LFS.
    """
    kind = binary_kind(data)
    if kind is not None:
        raise InputError(f"must be text, but is {kind[0]}", place=place, way_out=kind[1])
    try:
        text = data.decode(_encoding(data))
    except UnicodeDecodeError as error:
        law = f"must be {error.encoding.upper()} text, but {_undecoded(data, error)}"
        raise InputError(law, place=place, way_out="Save it as UTF-8 (or UTF-16).") from error
    if "\0" in text:
        raise InputError("must be text, but holds zero bytes", place=place)
    if text.startswith(_POINTER):
        raise InputError("must be the file itself, but is a pointer of Git LFS", place=place, way_out="git lfs pull")
    if text.lstrip()[:14].lower().startswith(("<!doctype html", "<html")):
        raise InputError("must hold data, but is an HTML page", place=place, way_out="Download the file itself.")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _undecoded(data: bytes, error: UnicodeDecodeError) -> str:
    """Name the byte that is no text, and its line; of UTF-16 the place in the file."""
    if error.encoding != "utf-8":
        return f"{error.reason} at byte {error.start + 1:,}"
    lines = data[: error.start].replace(b"\r\n", b"\n").replace(b"\r", b"\n").count(b"\n")
    return f"line {lines + 1:,} has the byte 0x{data[error.start]:02x}"


def _encoding(data: bytes) -> str:
    """Name the encoding by its mark, or by where the zero bytes of UTF-16 stand."""
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return encoding
    head = data[:_LOOKED_AT]
    even, odd = head[::2].count(0), head[1::2].count(0)
    if max(even, odd) * 4 > len(head):
        return "utf-16-le" if odd > even else "utf-16-be"
    return "utf-8"
