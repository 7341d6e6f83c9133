"""Prepare a source once: read, check and digest every record and image, and keep them where loaders can map them.

A prepared source is its records and the list of its images below `data/<digest>/`, and its distinct images below
`pictures/<digest>/`, which every source with the same images shares. They are Arrow files: Arrow's own format, not
Parquet, because a memory-mapped record batch gives one image without decoding its neighbours. They are written as the
source is read, and get their digests' names at the end. A preparation that was killed begins anew: it is bound by
reading, takes minutes for 350,000 images, and its leftovers are removed by the next one.
"""

from __future__ import annotations

import logging
import secrets
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa

from search_spaces.errors import InputError
from search_spaces.spec import PixelSpec, SourceSpec
from trainables.data.checked_images import checked_images, default_threads
from trainables.data.files import stats
from trainables.data.pace import Pace
from trainables.data.problems import raise_problems
from trainables.data.readers import HasImageFiles, Reader, open_reader
from trainables.data.tally import Tally, evenly
from trainables.storage import layout
from trainables.storage.artifacts import verify_pictures, verify_source
from trainables.storage.damages import Damage
from trainables.storage.digests import file_digest
from trainables.storage.owner import Owner
from trainables.storage.record_files import read_or_redo, write
from trainables.storage.records import Counts, PreparedManifest
from trainables.storage.store import LocalStore, Store
from trainables.storage.work_folders import is_abandoned

_RECORDS_PER_BATCH = 4096
_IMAGES_PER_BATCH = 256
_BYTES_PER_BATCH = 1 << 28
"""A batch of images ends with the image that reaches this: Arrow counts its bytes in 31 bits."""

_WATCHED_IMAGES = 1000
_FORMAT = 3

_RECORDS = pa.schema(
    [
        ("id", pa.string()),
        ("image", pa.int32()),
        ("questions", pa.list_(pa.string())),
        ("answers", pa.list_(pa.string())),
        ("tags", pa.list_(pa.string())),
        ("characters", pa.int32()),
        ("example", pa.string()),
    ]
)
_IMAGES = pa.schema([("key", pa.string()), ("row", pa.int32())])
_PICTURES = pa.schema([("bytes", pa.binary())])
_PLACES = pa.schema([("place", pa.int32()), ("digest", pa.binary(32))])


logger = logging.getLogger(__name__)


def prepare_source(
    source: SourceSpec, store: Store, data_root: Path, report: Callable[[str], None] = lambda _: None
) -> tuple[str, Counts]:
    """Read a whole source and prepare it on storage if that is not done; return its digest and counts.

    Args:
        source: what to prepare, and its format.
        store: storage of the prepared source.
        data_root: folder that the source's paths start at (`--data`).
        report: receives a line about the progress every ten seconds.

    Raises:
        InputError: missing files, an empty source, one that changes meanwhile, records that cannot be read and images
            that are missing or broken (all are looked at and listed in a file, the first 20 are named), unless the
            source leaves out their records: then these are listed alone.
    """
    reader, tally = open_reader(source, data_root), Tally(source.pixels)
    before = reader.signature()
    with _aside(store) as aside:
        folder, pace = aside / "data", Pace(source.name, report)
        _write_records(reader, tally, folder, pace)
        written = _write_pictures(reader, source.pixels, tally, aside / "pictures", pace)
        kept = tally.without(source.without)
        if kept is not None:
            tally = kept
            _write_records(reader, tally, folder, pace)
        raise_problems(source, reader, tally, store)
        if reader.signature() != before:
            raise InputError("the data must not change while they are read, but did", key=f"sources.{source.name}")
        digest, counts, pictures = tally.digest(), tally.counts(), tally.pictures()
        if not _has_pictures(store, pictures):
            rows = ((written[each], each) for each in tally.picture_digests())
            _write_table(aside / "pictures" / "places.arrow", _PLACES, rows)
            with store.writing(layout.pictures_folder(pictures)) as final:
                shutil.move(aside / "pictures", final)
        if not is_prepared(store, digest):
            images = zip(tally.image_keys, tally.picture_rows(), strict=True)
            _write_table(folder / "images.arrow", _IMAGES, images)
            prepared = PreparedManifest(
                format=_FORMAT,
                counts=counts,
                watched=tuple(_watched([*tally.image_keys, *tally.lost])),
                pictures=pictures,
                pixels=source.pixels,
                treated=dict(sorted(tally.treated.items())),
                digests={name: file_digest(LocalStore(folder), name) for name in ("records.arrow", "images.arrow")},
            )
            write(LocalStore(folder), "result.json", prepared)
            with store.writing(layout.data_folder(digest)) as final:
                shutil.move(folder, final)
    return digest, counts


def is_prepared(store: Store, digest: str) -> bool:
    """Tell whether storage holds a source whole; a damaged one is as good as none, and a warning names the file.

    Records and lists are read for that, once per process; pictures are told by their shape, and each is verified when
    it is read.
    """
    prepared = read_or_redo(store, layout.data_result(digest), PreparedManifest)
    if prepared is None or prepared.format != _FORMAT:
        return False
    return _is_whole(verify_source(store, digest, "content").damages) and _has_pictures(store, prepared.pictures)


def _has_pictures(store: Store, digest: str) -> bool:
    """Tell whether storage holds the pictures of a digest whole; a warning names a damaged file."""
    if not store.exists(layout.pictures_folder(digest)):
        return False
    return _is_whole(verify_pictures(store, digest, "shape").damages)


def _is_whole(damages: Sequence[Damage]) -> bool:
    for found in damages:
        logger.warning("%s; it is made again", found)
    return not damages


def source_signature(source: SourceSpec, store: Store, data_root: Path, digest: str) -> dict[str, Any]:
    """Collect what must be equal for a source to count as unchanged since it was prepared as `digest`.

    That is its place and options; name, size and time of change of its files, of up to 1,000 images spread over the
    source, and of every folder with images. A single image rewritten in place among more than 1,000 is not noticed:
    trials go on with what was prepared, which is what their keys name. `ablate data check` reads everything.

    Args:
        source: the source.
        store: storage, which names the images to look at.
        data_root: folder that the source's paths start at (`--data`).
        digest: the digest that an earlier preparation has computed.
    """
    reader = open_reader(source, data_root)
    prepared = read_or_redo(store, layout.data_result(digest), PreparedManifest)
    watched = prepared.watched if prepared is not None else ()
    images = [reader.image_file(key) for key in watched] if isinstance(reader, HasImageFiles) else []
    place = source.model_dump(include={"reader", "path", "image_folder", "options"})
    if source.pixels != PixelSpec():
        place["pixels"] = source.pixels.model_dump()
    return {
        "source": {**place, "root": str(data_root) if source.path else None},
        "files": reader.signature(),
        "images": stats(images),
        "folders": stats(sorted({image.parent for image in images})),
    }


def _watched(keys: Iterable[str]) -> list[str]:
    """Choose images that stand for all: some spread evenly, and the first of every folder."""
    all_keys = list(keys)
    folders: dict[PurePosixPath, str] = {}
    for key in all_keys:
        folders.setdefault(PurePosixPath(key).parent, key)
    return list(dict.fromkeys([*evenly(all_keys, _WATCHED_IMAGES), *folders.values()]))


def _write_records(reader: Reader, tally: Tally, folder: Path, pace: Pace) -> None:
    with _arrow_file(folder / "records.arrow", _RECORDS) as write:
        batch: list[tuple[Any, ...]] = []
        for record in reader.records(tally.refuse):
            if tally.leaves_out(record):
                continue
            image = tally.add_record(record)
            questions, answers = zip(*record.turns, strict=True)
            batch.append((record.id, image, questions, answers, record.tags, record.characters, record.example))
            if len(batch) == _RECORDS_PER_BATCH:
                write(batch)
                batch = []
                pace.at("records", tally.counted, None)
        write(batch)
    if not tally.counted and not tally.refused:
        raise InputError("a source must have at least one record, but it has none", key=f"sources.{pace.name}")


def _write_pictures(reader: Reader, pixels: PixelSpec, tally: Tally, folder: Path, pace: Pace) -> dict[bytes, int]:
    """Read and check every image, and write the distinct ones; return where each lies, by its SHA-256."""
    keys = list(tally.image_keys)
    places: dict[bytes, int] = {}
    with _arrow_file(folder / "bytes.arrow", _PICTURES) as write:
        batch: list[tuple[Any, ...]] = []
        size = 0
        for number, image in enumerate(checked_images(reader, keys, pixels, default_threads()), 1):
            tally.add_image(image)
            pace.at("images", number, len(keys))
            if image.digest in places or image.problem is not None:
                continue
            places[image.digest] = len(places)
            batch.append((image.data,))
            size += len(image.data)
            if len(batch) == _IMAGES_PER_BATCH or size >= _BYTES_PER_BATCH:
                write(batch)
                batch, size = [], 0
        write(batch)
    return places


def _write_table(path: Path, schema: pa.Schema, rows: Iterable[Sequence[Any]]) -> None:
    """Write a small table as one record batch."""
    with _arrow_file(path, schema) as write:
        write([tuple(row) for row in rows])


@contextmanager
def _arrow_file(path: Path, schema: pa.Schema) -> Iterator[Callable[[list[tuple[Any, ...]]], None]]:
    """Open an Arrow file to write: yields a function that appends rows as one record batch."""
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:

        def write(rows: list[tuple[Any, ...]]) -> None:
            if rows:
                columns = zip(*rows, strict=True)
                arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
                writer.write_batch(pa.record_batch(arrays, schema=schema))

        yield write


@contextmanager
def _aside(store: Store) -> Iterator[Path]:
    """Make a folder with `data` and `pictures` to prepare in, removed at the end.

    Folders that nobody works in any more are removed first.
    """
    for left in store.folders(layout.PREPARING):
        if is_abandoned(store, layout.preparing(left)):
            store.remove(layout.preparing(left))
    with store.working_folder(layout.PREPARING) as parent:
        outer = parent / secrets.token_hex(6)
        outer.mkdir()
        try:
            (outer / layout.OWNER).write_bytes(Owner.here().to_bytes())
            (outer / "data").mkdir()
            (outer / "pictures").mkdir()
            yield outer
        finally:
            shutil.rmtree(outer, ignore_errors=True)
