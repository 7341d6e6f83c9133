"""Preparing a source once: every record and image read, checked and digested, then kept where loaders can map it.

A prepared source is two Arrow files below `data/<digest>/`. Arrow's own format, not Parquet, because a memory-mapped
record batch gives one image without decoding its neighbours.
"""

from __future__ import annotations

import hashlib
import io
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
import pyarrow as pa
from PIL import Image

from search_spaces.errors import InputError
from search_spaces.spec import SourceSpec
from trainables import layout
from trainables.data.readers import Reader, open_reader
from trainables.data.record import TEXT_ONLY, Record
from trainables.store import LocalStore

_IMAGES_PER_BATCH = 256
_SHOWN_PROBLEMS = 20


class Counts(TypedDict):
    """What a source really holds."""

    records: int
    text_only: int
    images: int
    tags: dict[str, int]


def prepare_source(
    source: SourceSpec, store: LocalStore, data_root: Path, report: Callable[[str], None] = lambda _: None
) -> tuple[str, Counts]:
    """Digest and counts of a source, prepared on storage if it is not yet.

    Raises:
        InputError: missing files, unreadable records, an empty source, or missing and broken images (all of them are
            looked at, the first 20 named).
    """
    reader = open_reader(source, data_root)
    records = list(reader.records())
    if not records:
        raise InputError("a source must have at least one record, but it has none", key=f"sources.{source.name}")
    digest = _digest(source, reader, records, report)
    folder = layout.data_folder(digest)
    if not store.exists(folder):
        with store.aside(folder) as aside:
            aside.mkdir()
            _write(reader, records, aside)
    return digest, _counts(records)


def _counts(records: list[Record]) -> Counts:
    tags = Counter(tag for record in records for tag in record.tags)
    return {
        "records": len(records),
        "text_only": tags.pop(TEXT_ONLY, 0),
        "images": len({record.image for record in records} - {None}),
        "tags": dict(sorted(tags.items())),
    }


def _image_keys(records: list[Record]) -> list[str]:
    """Keys in the order of first use: the row numbers of images.arrow."""
    return list(dict.fromkeys(record.image for record in records if record.image is not None))


def _digest(source: SourceSpec, reader: Reader, records: list[Record], report: Callable[[str], None]) -> str:
    """SHA-256 over all records and the bytes of all images; checks every image on the way."""
    digest, problems = hashlib.sha256(), []
    for record in records:
        digest.update(repr((record.id, record.image, record.turns, record.tags)).encode())
    keys = _image_keys(records)
    first_use = {record.image: record.id for record in reversed(records)}
    for number, key in enumerate(keys):
        try:
            data = reader.image(key)
            Image.open(io.BytesIO(data)).verify()
        except FileNotFoundError:
            problems.append(f"record {first_use[key]!r}: the image {key!r} is missing")
            continue
        except (OSError, SyntaxError, ValueError) as error:  # what pillow raises for broken files
            problems.append(f"record {first_use[key]!r}: the image {key!r} is broken ({error})")
            continue
        digest.update(hashlib.sha256(data).digest())
        if number % 10_000 == 9_999:
            report(f"{source.name}: {number + 1:,} of {len(keys):,} images checked")
    if problems:
        more = len(problems) - _SHOWN_PROBLEMS
        shown = "\n  ".join(problems[:_SHOWN_PROBLEMS])
        raise InputError(
            f"every image must be there and readable, but {len(problems)} of {len(keys)} are not:\n  {shown}"
            + (f"\n  and {more} more" if more > 0 else ""),
            key=f"sources.{source.name}",
        )
    return digest.hexdigest()


def _write(reader: Reader, records: list[Record], folder: Path) -> None:
    keys = _image_keys(records)
    row_of = {key: row for row, key in enumerate(keys)}
    table = pa.table(
        {
            "id": pa.array([record.id for record in records], pa.string()),
            "image": pa.array([-1 if record.image is None else row_of[record.image] for record in records], pa.int32()),
            "questions": pa.array([[q for q, _ in record.turns] for record in records], pa.list_(pa.string())),
            "answers": pa.array([[a for _, a in record.turns] for record in records], pa.list_(pa.string())),
            "tags": pa.array([list(record.tags) for record in records], pa.list_(pa.string())),
        }
    )
    with pa.OSFile(str(folder / "records.arrow"), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    schema = pa.schema([("key", pa.string()), ("bytes", pa.binary())])
    with pa.OSFile(str(folder / "images.arrow"), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
        for start in range(0, len(keys), _IMAGES_PER_BATCH):
            chunk = keys[start : start + _IMAGES_PER_BATCH]
            writer.write_batch(
                pa.record_batch([pa.array(chunk), pa.array([reader.image(k) for k in chunk])], schema=schema)
            )


class PreparedSource:
    """A prepared source, mapped into memory: nothing is read before it is asked for."""

    def __init__(self, store: LocalStore, digest: str):
        folder = store.path(layout.data_folder(digest))
        self.digest = digest
        self._records = pa.ipc.open_file(pa.memory_map(str(folder / "records.arrow"))).read_all()
        self._images = pa.ipc.open_file(pa.memory_map(str(folder / "images.arrow")))
        self.image_rows: np.ndarray[Any, np.dtype[np.int32]] = self._records["image"].to_numpy()
        """Row of each record's image, -1 for text-only records."""

    def __len__(self) -> int:
        return int(self._records.num_rows)

    @property
    def num_images(self) -> int:
        return int(self.image_rows.max(initial=-1)) + 1

    def id(self, row: int) -> str:
        return str(self._records["id"][row])

    def turns(self, row: int) -> tuple[tuple[str, str], ...]:
        questions, answers = self._records["questions"][row].as_py(), self._records["answers"][row].as_py()
        return tuple(zip(questions, answers, strict=True))

    def tags(self) -> list[list[str]]:
        """Tags of all records."""
        return self._records["tags"].to_pylist()  # type: ignore[no-any-return]

    def texts(self) -> list[str]:
        """Every question and answer, for vocabularies."""
        columns = (self._records["questions"], self._records["answers"])
        return [text for column in columns for turns in column.to_pylist() for text in turns]

    def answers(self) -> list[str]:
        """The last answer of every record."""
        return [turns[-1] for turns in self._records["answers"].to_pylist()]

    def image_key(self, image_row: int) -> str:
        return str(self._image(image_row)["key"])

    def picture(self, image_row: int) -> Image.Image:
        """The decoded image as RGB."""
        try:
            return Image.open(io.BytesIO(self._image(image_row)["bytes"].as_py())).convert("RGB")
        except (OSError, SyntaxError, ValueError) as error:
            raise InputError(f"the image {self.image_key(image_row)!r} must be readable, but {error}") from error

    def _image(self, image_row: int) -> dict[str, Any]:
        batch = self._images.get_batch(image_row // _IMAGES_PER_BATCH)
        row = image_row % _IMAGES_PER_BATCH
        return {"key": batch.column(0)[row], "bytes": batch.column(1)[row]}
