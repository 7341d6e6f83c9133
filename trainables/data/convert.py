"""Convert a source to Parquet: a few files in place of hundreds of thousands of images, with the same digest."""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock, Timeout

from search_spaces.errors import InputError
from search_spaces.identity import fingerprint
from search_spaces.spec import LostImage, SourceSpec
from trainables.data.checked_images import MISSING, CheckedImage, checked_images
from trainables.data.files import stats
from trainables.data.formats.parquet import IMAGE_DIGEST, IMAGES_BY_PATH
from trainables.data.pace import Progress
from trainables.data.problems import raise_problems
from trainables.data.readers import HasImageFiles, Reader, open_reader
from trainables.data.record import TEXT_ONLY, Record
from trainables.data.survey import without_lost
from trainables.data.tally import Tally
from trainables.storage.payloads import check_parquet, damage
from trainables.storage.record_files import read_or_redo, write
from trainables.storage.records import ConversionStart, Counts, FinishedConversion
from trainables.storage.store import LocalStore, Store

logger = logging.getLogger(__name__)

_RECORDS_PER_SHARD = 8192
_ROW_GROUP = 256
_MANIFEST = "convert.json"

_TREATED = b"ablate-vlm.treated"
"""Key of a file's metadata: how many of its images are treated when they are decoded, by what is done to them."""
_LOST = b"ablate-vlm.lost"
"""Key of a file's metadata: what is wrong with its images that cannot be used, whose records the source leaves out."""

_TURN = pa.struct([("from", pa.string()), ("value", pa.string())])
_SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("image", pa.struct([("bytes", pa.binary()), ("path", pa.string())])),
        ("conversations", pa.list_(_TURN)),
        ("tags", pa.list_(pa.string())),
        (IMAGE_DIGEST, pa.binary(32)),
    ],
    metadata={IMAGES_BY_PATH: b"1"},
)
_COMPRESSED = {f"conversations.list.element.{name}": "zstd" for name in ("from", "value")}
"""Image bytes are compressed already."""


@dataclass(frozen=True)
class Conversion:
    """Outcome of a finished conversion."""

    folder: Path
    digest: str
    """That of the source, and of the folder when it is read as a source."""
    counts: Counts
    shards: int
    kept: int
    """Shards that an interrupted conversion had finished."""


def convert_source(
    source: SourceSpec, data_root: Path, folder: Path, store: Store, threads: int, progress: Progress
) -> Conversion:
    """Write a source as Parquet files in `folder`, which gets its name when all are written.

    Until then it is called `<folder>.converting`: the same call resumes there with the first file that is not finished.

    Args:
        source: what to convert, and its format.
        data_root: folder that the source's paths start at (`--data`).
        folder: where to; must not be there yet.
        store: storage, for the list of images that cannot be used.
        threads: how many read images at once; 0 reads in this thread.
        progress: receives how many records were converted.

    Raises:
        InputError: a folder that is there already or cannot be written, whatever `prepare_source` finds wrong. When
            that is corrected, the same call goes on: files whose records and images have not changed are kept.
            Records that the source leaves out are written as they are, without or with a broken image: it leaves them
            out of what was written too.
    """
    folder = folder.absolute()
    if folder.exists() or not folder.name:
        raise InputError(
            "must be a new folder, but is there already",
            key="--to",
            place=str(folder),
            way_out="Name another folder, or remove this one: a finished conversion is not written again.",
        )
    reader, tally = open_reader(source, data_root), Tally(source.pixels)
    target = LocalStore(folder.with_name(f"{folder.name}.converting"))
    try:
        target.root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        law = f"must be a folder that can be written, but {error.strerror}"
        raise InputError(law, key="--to", place=str(folder)) from error
    lock = target.root.with_name(f".{target.root.name}.lock")
    try:
        with FileLock(lock, timeout=0):
            start = _begin(reader, source, target)
            seen = _SeenImages(reader, target, start)
            shards, kept = _write_shards(reader, source, tally, target, seen, threads, progress)
            tally = without_lost(source, reader, tally)
            raise_problems(source, reader, tally, store)
            if not tally.counted:
                raise InputError("a source must have at least one record", key=f"sources.{source.name}")
            write(target, _MANIFEST, FinishedConversion(start.source, tally.digest(), tally.counts()))
            os.rename(target.root, folder)
    except Timeout:
        raise InputError("another process is converting to it", key="--to", place=str(folder)) from None
    lock.unlink(missing_ok=True)
    return Conversion(folder, tally.digest(), tally.counts(), shards, kept)


def _begin(reader: Reader, source: SourceSpec, target: LocalStore) -> ConversionStart:
    """Write the manifest of a conversion; keep files finished earlier from the same data, remove unfinished ones.

    Files of other data, of records that were corrected since or of another image folder, are written anew, as are those
    that have no manifest.
    """
    start = ConversionStart(fingerprint([source.model_dump(mode="json"), reader.signature()]))
    earlier = read_or_redo(target, _MANIFEST, ConversionStart)
    is_same = earlier is not None and earlier.source == start.source
    if earlier is not None and not is_same:
        logger.warning("%s was begun from data that have changed since, or from others: it is begun anew", target.root)
    for unfinished in target.root.glob(".*.aside"):
        unfinished.unlink()
    if not is_same:
        for finished in target.root.glob("part-*.parquet"):
            finished.unlink()
    if earlier is not None and is_same:
        return earlier
    write(target, _MANIFEST, start)
    return start


class _SeenImages:
    """Size and time of change of the images in each finished file, by which a change of them is noticed."""

    def __init__(self, reader: Reader, target: LocalStore, start: ConversionStart):
        self._reader, self._target, self._start = reader, target, start
        self._images = dict(start.images)

    def of(self, keys: Sequence[str]) -> str:
        """Compute a fingerprint of the files of some images."""
        files = [self._reader.image_file(key) for key in keys] if isinstance(self._reader, HasImageFiles) else []
        return fingerprint(stats(files))

    def has(self, name: str, images: str) -> bool:
        """Tell whether a finished file holds the images as they are now."""
        return self._images.get(name) == images

    def add(self, name: str, images: str) -> None:
        """Keep what the images of a finished file were when they were read."""
        self._images[name] = images
        write(self._target, _MANIFEST, replace(self._start, images=dict(self._images)))


def _write_shards(
    reader: Reader,
    source: SourceSpec,
    tally: Tally,
    target: LocalStore,
    seen: _SeenImages,
    threads: int,
    progress: Progress,
) -> tuple[int, int]:
    records, shards, kept = reader.records(tally.refuse), 0, 0
    while chunk := list(islice(records, _RECORDS_PER_SHARD)):
        known = tally.num_images
        is_first = _first_uses(chunk, tally)
        name = f"part-{shards:05d}.parquet"
        keys = list(islice(tally.image_keys, known, None))
        images = seen.of(keys)
        if seen.has(name, images) and _is_finished(target, name):
            _tally_finished(target, name, tally)
            kept += 1
        else:
            checked = checked_images(reader, keys, source.pixels, threads)
            if _write_shard(chunk, is_first, _with_lost_bytes(reader, checked), tally, target, name, source.without):
                seen.add(name, images)
        shards += 1
        progress.at("records", tally.counted, None)
    return shards, kept


def _is_finished(target: LocalStore, name: str) -> bool:
    """Tell whether an earlier conversion finished a file; a damaged one is written again, and a warning names it."""
    if not target.exists(name):
        return False
    problem = damage(target, name, check_parquet)
    if problem is not None:
        logger.warning("%s: must be a complete Parquet file, but %s; it is made again", target.place(name), problem)
    return problem is None


def _tally_finished(target: LocalStore, name: str, tally: Tally) -> None:
    """Add the images of a finished file to the tally, as they were when it was written."""
    with pq.ParquetFile(target.reading(name)) as file:
        table, metadata = file.read(columns=["image.path", IMAGE_DIGEST]), file.metadata.metadata or {}
    lost: dict[str, str] = json.loads(metadata.get(_LOST, b"{}"))
    for key, problem in lost.items():
        tally.add_image(CheckedImage(key, b"", b"", problem))
    for image, digest in zip(table["image"].to_pylist(), table[IMAGE_DIGEST].to_pylist(), strict=True):
        if digest is not None and image["path"] not in lost:
            tally.add_image_digest(digest)
    tally.treated.update(json.loads(metadata.get(_TREATED, b"{}")))


def _with_lost_bytes(reader: Reader, images: Iterable[CheckedImage]) -> Iterator[CheckedImage]:
    """Give broken images the bytes that they have, so that they are as broken in the file."""
    for image in images:
        if image.problem is None or image.problem == MISSING:
            yield image
            continue
        try:
            data = reader.image(image.key)
        except OSError:  # a folder, say: no bytes are no image either
            data = b""
        yield replace(image, data=data, digest=hashlib.sha256(data).digest())


def _first_uses(records: list[Record], tally: Tally) -> list[bool]:
    """Add records to the tally; return for each whether it is the first to use its image."""
    first = []
    for record in records:
        known = tally.num_images
        tally.add_record(record)
        first.append(tally.num_images > known)
    return first


def _write_shard(
    records: list[Record],
    is_first: list[bool],
    images: Iterator[CheckedImage],
    tally: Tally,
    target: LocalStore,
    name: str,
    without: Collection[LostImage],
) -> bool:
    """Write one file, unless one of its images cannot be used: then it is left to do. Returns whether it is written.

    Images that are lost in one of the ways of `without` do not matter: their records are left out.
    """
    before, treated, lost = len(tally.problems), tally.treated.copy(), dict[str, str]()
    aside = target.root / f".{name}.aside"
    with pq.ParquetWriter(aside, _SCHEMA, compression=_COMPRESSED, use_dictionary=False) as writer:
        for start in range(0, len(records), _ROW_GROUP):
            rows = []
            chosen = slice(start, start + _ROW_GROUP)
            for record, first in zip(records[chosen], is_first[chosen], strict=True):
                image = next(images) if first else None
                if image is not None:
                    tally.add_image(image)
                    lost |= {image.key: image.problem} if image.problem else {}
                rows.append(_row(record, image))
            writer.write_table(pa.Table.from_pylist(rows, schema=_SCHEMA), row_group_size=_ROW_GROUP)
        metadata = {_TREATED: json.dumps(tally.treated - treated)} | ({_LOST: json.dumps(lost)} if lost else {})
        writer.add_key_value_metadata({key: text.encode() for key, text in metadata.items()})
    if any(kind not in without for kind in list(tally.unusable.values())[before:]):
        aside.unlink()
        return False
    target.remove(name)
    with target.writing(name) as final:
        os.rename(aside, final)
    return True


def _row(record: Record, image: CheckedImage | None) -> dict[str, Any]:
    turns = [turn for question, answer in record.turns for turn in (("human", question), ("gpt", answer))]
    is_stored = image is not None and image.problem != MISSING
    stored = {"bytes": image.data if image and is_stored else None, "path": record.image}
    return {
        "id": record.id,
        "image": None if record.image is None else stored,
        "conversations": [{"from": role, "value": value} for role, value in turns],
        "tags": [tag for tag in record.tags if tag != TEXT_ONLY],
        IMAGE_DIGEST: image.digest if image and is_stored else None,
    }
