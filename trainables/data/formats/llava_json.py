"""Read conversations from JSON or JSON Lines, compressed with gzip or not, with images in a folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from search_spaces.regular_files import read_regular
from search_spaces.spec import SourceSpec
from trainables.data.files import source_path, stats
from trainables.data.formats.conversations import read_record
from trainables.data.formats.json_stream import JsonStream
from trainables.data.record import Record
from trainables.data.refused import RecordError, Refuse, raise_refused


class LlavaReader:
    """Reader of `[{"id", "image"?, "conversations": [{"from": "human"|"gpt", "value"}]}]`, images in a folder.

    One object per line, without the brackets, is read as well, and the other forms of `conversations`.
    """

    def __init__(self, source: SourceSpec, data_root: Path):
        self._file = source_path(source, data_root, "its JSON file")
        self.image_folder = data_root / source.image_folder if source.image_folder else self._file.parent

    def signature(self) -> list[list[Any]]:
        return stats([self._file])

    def records(self, refuse: Refuse = raise_refused) -> Iterator[Record]:
        stream = JsonStream(self._file)
        for number, row in stream.values(refuse):
            try:
                record = read_record(row, number)
            except RecordError as error:
                refuse(error.at(stream.place()))
            else:
                yield record

    def image(self, key: str) -> bytes:
        return read_regular(self.image_file(key))

    def image_file(self, key: str) -> Path:
        return self.image_folder / key
