"""Read LRV-Instruct as its authors publish it: three JSON files and two folders of images."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

from search_spaces.errors import InputError
from search_spaces.regular_files import read_regular
from search_spaces.spec import SourceSpec
from trainables.data.files import source_path, stats
from trainables.data.formats.conversations import read_record
from trainables.data.formats.json_stream import JsonStream
from trainables.data.formats.record_text import type_name
from trainables.data.record import Record
from trainables.data.refused import RecordError, Refuse, raise_refused


class LrvReader:
    """Reader of the three JSON files of LRV-Instruct and its images.

    The files of `FILES` are arrays of `{"image_id", "question", "answer"}`, images are in `lrv-vg` and `lrv-chart`, as
    TRI-ML/prismatic-vlms@874c5bb names them (scripts/additional-datasets/lrv_instruct.py). Each question
    becomes a conversation of one turn. The files without coordinates are read, as there.
    """

    FILES: ClassVar = {
        "filter_cap1.json": "lrv-vg/{}.jpg",
        "filter_cap_more1.json": "lrv-vg/{}.jpg",
        "chart_release_update.json": "lrv-chart/{}",
    }
    """Name of the file -> its images."""

    def __init__(self, source: SourceSpec, data_root: Path):
        self.image_folder = source_path(source, data_root, "the folder of its files")
        missing = [name for name in self.FILES if not (self.image_folder / name).is_file()]
        if missing:
            raise InputError(
                f"must hold {', '.join(self.FILES)}, but not there: {', '.join(missing)}", place=str(self.image_folder)
            )

    def signature(self) -> list[list[Any]]:
        return stats(self.image_folder / name for name in self.FILES)

    def records(self, refuse: Refuse = raise_refused) -> Iterator[Record]:
        for name, image in self.FILES.items():
            stream = JsonStream(self.image_folder / name)
            for number, row in stream.values(refuse):
                try:
                    record = _record(row, number, image)
                except RecordError as error:
                    refuse(error.at(stream.place()))
                else:
                    yield record

    def image(self, key: str) -> bytes:
        return read_regular(self.image_file(key))

    def image_file(self, key: str) -> Path:
        return self.image_folder / key


def _record(row: Any, number: int, image: str) -> Record:
    missing = [key for key in ("image_id", "question", "answer") if not isinstance(row, dict) or key not in row]
    if missing:
        raise RecordError("form", f"a record must have {', '.join(missing)}")
    name = row["image_id"]
    if not isinstance(name, str | int) or isinstance(name, bool):
        raise RecordError("image path", f"`image_id` must be text or a number, but is {type_name(name)}")
    turns = [{"from": "human", "value": row["question"]}, {"from": "gpt", "value": row["answer"]}]
    return read_record({"id": name, "image": image.format(name), "conversations": turns}, number)
