"""Read LRV-Instruct as its authors publish it: three JSON files and two folders of images."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

from search_spaces.errors import InputError
from search_spaces.spec import SourceSpec
from trainables.data.files import source_path, stats
from trainables.data.formats.llava_json import json_values, llava_record
from trainables.data.record import Record


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
        self._folder = source_path(source, data_root, "the folder of its files")
        missing = [name for name in self.FILES if not (self._folder / name).is_file()]
        if missing:
            raise InputError(
                f"must hold {', '.join(self.FILES)}, but not there: {', '.join(missing)}", place=str(self._folder)
            )

    def signature(self) -> list[list[Any]]:
        return stats(self._folder / name for name in self.FILES)

    def records(self) -> Iterator[Record]:
        for name, image in self.FILES.items():
            for number, row in enumerate(json_values(self._folder / name)):
                yield _record(row, number, image, f"{self._folder / name}[{number}]")

    def image(self, key: str) -> bytes:
        return self.image_file(key).read_bytes()

    def image_file(self, key: str) -> Path:
        return self._folder / key


def _record(row: Any, number: int, image: str, place: str) -> Record:
    missing = [key for key in ("image_id", "question", "answer") if not isinstance(row, dict) or key not in row]
    if missing:
        raise InputError(f"a record must have {', '.join(missing)}", place=place)
    turns = [{"from": "human", "value": row["question"]}, {"from": "gpt", "value": row["answer"]}]
    key = image.format(row["image_id"])
    return llava_record({"id": row["image_id"], "image": key, "conversations": turns}, number, place)
