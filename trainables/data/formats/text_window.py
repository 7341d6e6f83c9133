"""Read a text file of any size through a window, compressed or not, and know the line of every character in it."""

from __future__ import annotations

import codecs
import gzip
import json
import zlib
from io import BufferedReader
from pathlib import Path
from typing import Self

from search_spaces.errors import InputError
from search_spaces.regular_files import open_regular

_CHUNK = 4 << 20
"""Bytes read at a time."""

_GZIP = b"\x1f\x8b"
_OTHERS = {
    b"PK\x03\x04": "a ZIP archive",
    b"BZh": "compressed with bzip2",
    b"\xfd7zXZ": "compressed with xz",
    b"\x28\xb5\x2f\xfd": "compressed with Zstandard",
    b"PAR1": "a Parquet file",
    b"ARROW1": "an Arrow (Feather) file",
    b"%PDF": "a PDF",
    b"\xd0\xcf\x11\xe0": "a workbook or document of Office before 2007",
    b"7z\xbc\xaf": "a 7z archive",
    b"Rar!": "a RAR archive",
    b"SQLite format 3": "a SQLite database",
    b"\x93NUMPY": "a NumPy array",
    b"\x89HDF": "HDF5",
    b"\x80\x04\x95": "a pickle",
    b"\x80\x05\x95": "a pickle",
    b"\x89PNG": "a PNG picture",
    b"\xff\xd8\xff": "a JPEG picture",
    bytes(8): "zero bytes, which were never written",
    b"version https://git-lfs": "a pointer of Git LFS, not the file itself",
    b"<": "HTML or XML",
}
"""First bytes of files that are taken for JSON by their name, and what they are."""

_LITTLE = {"utf-16": "utf-16-le", "utf-32": "utf-32-le"}


def _opened(file: Path) -> BufferedReader:
    try:
        return open_regular(file)
    except OSError as error:
        raise InputError(f"must be a file that can be read, but: {error.strerror}", place=str(file)) from error


class TextWindow:
    """Window on a text: what was read is dropped, what is missing is read.

    Bytes that are not UTF-8 become lone surrogates, which `surrogateescape` makes of them: whoever reads the text that
    holds them refuses it, and the rest of the file is read.

    Args:
        file: JSON in UTF-8, UTF-16 or UTF-32, compressed with gzip or not.

    Raises:
        InputError: the file is something else, by its first bytes.
    """

    def __init__(self, file: Path):
        self.window, self.at = "", 0
        self.failure = ""
        """Why the file cannot be read to its end; "" where it can."""
        self.is_undecodable = False
        """Whether that is because of its encoding."""
        self._dropped = 0
        self._line, self._line_start, self._counted = 1, 0, 0
        """Line at the character `_counted`, and where that line begins, counted from the start of the file."""
        self._raw = _opened(file)
        head = self._raw.read(64)
        self._raw.seek(0)
        kind = next((name for first, name in _OTHERS.items() if head.lstrip().startswith(first)), None)
        if kind is not None:
            self._raw.close()
            raise InputError(f"must be JSON, but is {kind}", place=str(file))
        if head.startswith(_GZIP):
            self._bytes: BufferedReader | gzip.GzipFile = gzip.GzipFile(fileobj=self._raw)
        else:
            self._bytes = self._raw
        self._decoder: codecs.IncrementalDecoder | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._raw.close()

    @property
    def failed(self) -> str:
        """The failure as the end of a sentence."""
        return f": {self.failure}" if self.failure else ""

    def more(self) -> bool:
        """Read the next part of the file. Returns False at its end, and where it cannot be read any further."""
        read = ""
        while not read:
            data, is_last = self._read()
            read = self._decoded(data, is_last)
            if is_last:
                break
        self._advance()
        self._dropped += self.at
        self.window, self.at = self.window[self.at :] + read, 0
        return bool(read)

    def peek(self, skipped: str | None = None) -> str:
        """Skip white space, or the characters in `skipped`; return the next one, which stays; "" at the end."""
        while True:
            while self.at < len(self.window):
                character = self.window[self.at]
                if not (character.isspace() if skipped is None else character in skipped):
                    return character
                self.at += 1
            if not self.more():
                return ""

    def skip_to_object(self) -> None:
        """Go to the next line that begins with an object, or to the end."""
        while True:
            found = self.window.find("\n{", self.at)
            if found >= 0:
                self.at = found + 1
                return
            self.at = max(self.at, len(self.window) - 1)
            if not self.more():
                self.at = len(self.window)
                return

    def position(self, at: int) -> tuple[int, int]:
        """Compute the line and the column, from 1, of a character of the window that is not before `self.at`."""
        self._advance()
        lines = self.window.count("\n", self.at, at)
        start = self._dropped + self.window.rfind("\n", self.at, at) + 1 if lines else self._line_start
        return self._line + lines, self._dropped + at - start + 1

    def _advance(self) -> None:
        """Count the lines up to `self.at`, from where they were counted last."""
        counted = max(0, self._counted - self._dropped)
        lines = self.window.count("\n", counted, self.at)
        if lines:
            self._line += lines
            self._line_start = self._dropped + self.window.rfind("\n", counted, self.at) + 1
        self._counted = self._dropped + self.at

    def _read(self) -> tuple[bytes, bool]:
        """Read a piece of the file, and whether it is the last one."""
        pieces: list[bytes] = []
        size = 0
        while size < _CHUNK and not self.failure:
            try:
                piece = self._bytes.read1(_CHUNK - size)
            except EOFError:
                self.failure = "the compressed data are cut off"
            except (gzip.BadGzipFile, zlib.error) as error:
                self.failure = f"the compressed data are damaged ({error})"
            else:
                if not piece:
                    return b"".join(pieces), True
                pieces.append(piece)
                size += len(piece)
        return b"".join(pieces), bool(self.failure)

    def _decoded(self, data: bytes, is_last: bool) -> str:
        if self._decoder is None:
            detected = json.detect_encoding(data[:4]).removesuffix("-sig")
            if data[:2] == b"\xfe\xff" or data[:4] == b"\x00\x00\xfe\xff":
                detected = {"utf-16": "utf-16-be", "utf-32": "utf-32-be"}[detected]
            self._encoding = _LITTLE.get(detected, detected)
            self._decoder = codecs.getincrementaldecoder(self._encoding)("surrogateescape")
            self._bom_left = True
        try:
            text = self._decoder.decode(data, is_last)
        except UnicodeDecodeError as error:
            text = error.object[: error.start].decode(self._encoding)
            self.failure, self.is_undecodable = f"it is not {self._encoding.upper()} ({error.reason})", True
        if self._bom_left and text:
            text, self._bom_left = text.removeprefix("\ufeff"), False
        return text
