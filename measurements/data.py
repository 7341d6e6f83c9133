"""Measure synthetic data of the size of LLaVA's mix: opening, planning, memory, reading images, loading ahead.

Run: ``python -m measurements.data [records]`` (665,298 by default; 3 GB of memory at most, 1 GB of disk, some minutes).
"""

from __future__ import annotations

import io
import itertools
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import psutil
from PIL import Image

from measurements.cost import told_cost
from search_spaces.spec import MixPart, MixSpec, PixelSpec, SourceSpec, VisionSpec
from trainables.data import readers
from trainables.data.batches import FILLER, BatchPlan, micro_batches
from trainables.data.checked_images import checked_images
from trainables.data.decode import decode
from trainables.data.formats.json_stream import JsonStream
from trainables.data.mix import realise
from trainables.data.parallel import in_order
from trainables.data.prepare import prepare_source, source_signature
from trainables.data.prepared import PreparedSource
from trainables.data.record import Record
from trainables.data.refused import Refuse, raise_refused
from trainables.model.images import pixels
from trainables.storage.store import LocalStore

RECORDS, TEXT_ONLY, IMAGES = 665_298, 40_688, 4_000
BATCH, PHOTOS = 128, 512
T = TypeVar("T")


def main() -> None:
    records = int(sys.argv[1]) if len(sys.argv) > 1 else RECORDS
    readers.READERS = {**readers.READERS, "generated": SyntheticReader}
    with tempfile.TemporaryDirectory() as folder:
        store = LocalStore(Path(folder))
        print(f"{records:,} records, {len(os.sched_getaffinity(0))} CPUs")
        _scale(store, records)
        _json_stream(Path(folder), records)
        photos = [_photo(number) for number in range(PHOTOS)]
        _checking(photos)
        _loading(photos)


def _scale(store: LocalStore, records: int) -> None:
    """Measure a source of tiny images: the cost of each record, not of its pixels."""
    source = SourceSpec(name="made-up", version="1", reader="generated", options={"records": records})
    (digest, _), seconds = _timed(lambda: prepare_source(source, store, store.root))
    print(f"prepare, {IMAGES:,} tiny images: {seconds:.1f} s")
    _, seconds = _timed(lambda: source_signature(source, store, store.root, digest))
    print(f"unchanged, looked at again: {seconds * 1000:.1f} ms")
    before = _memory()
    prepared, seconds = _timed(lambda: PreparedSource(store, digest))
    print(f"open: {seconds * 1000:.0f} ms")
    spec = MixSpec(name="made-up", parts=(MixPart(source=source),))
    name = f"source:{source.declared}?" + json.dumps(source.options, separators=(",", ":"))
    mix, seconds = _timed(lambda: realise(spec, {name: prepared}, 7))
    print(f"mix: {seconds * 1000:.0f} ms")
    dropped = MixSpec(name="images", parts=(MixPart(source=source, drop=("text-only",), fraction=0.5),))
    half, seconds = _timed(lambda: realise(dropped, {name: prepared}, 7))
    print(f"mix of half of the records with images ({len(half):,}): {seconds * 1000:.0f} ms")
    plan, seconds = _timed(lambda: BatchPlan(mix.has_image(), mix.characters(), BATCH, "7/finetune"))
    print(f"lengths and modalities: {seconds * 1000:.0f} ms, {plan.steps_per_epoch:,} steps")
    for epoch in range(2):
        _, seconds = _timed(lambda epoch=epoch: plan.batch(epoch * plan.steps_per_epoch))  # type: ignore[misc]
        print(f"plan of epoch {epoch}: {seconds * 1000:.0f} ms")
    print(f"memory of all this: {(_memory() - before) / 1e6:.0f} MB")
    rows = [row for step in range(50) for row in plan.batch(step) if row != FILLER]
    _, seconds = _timed(lambda: [prepared.turns(int(mix.row[row])) for row in rows])
    print(f"texts: {len(rows) / seconds:,.0f} records/s")


def _json_stream(folder: Path, records: int) -> None:
    """Measure a JSON file of the size of LLaVA's, read as a stream."""
    file = folder / "chat.json"
    talk = [{"from": role, "value": "word " * 70} for _ in range(2) for role in ("human", "gpt")]
    with file.open("w") as out:
        out.write("[")
        for number in range(records):
            out.write(("," if number else "") + json.dumps({"id": str(number), "conversations": talk}))
        out.write("]")
    before = _memory()
    count, seconds = _timed(lambda: sum(1 for _ in JsonStream(file).values()))
    size, more = file.stat().st_size, max(0, _memory() - before)
    print(f"JSON of {size / 1e9:.2f} GB as a stream: {count:,} records in {seconds:.1f} s, {more / 1e6:.0f} MB more")


def _checking(photos: list[bytes]) -> None:
    """Measure reading, decoding and digesting of photos of 640 x 480, by threads and by processes."""
    reader: Any = _Photos(photos)
    keys = [str(number) for number in range(len(photos))] * 4
    for threads in (0, 1, 2, 4):
        _, seconds = _timed(lambda threads=threads: sum(1 for _ in checked_images(reader, keys, PixelSpec(), threads)))  # type: ignore[misc]
        print(f"check photos, {threads} threads: {len(keys) / seconds:,.0f} images/s")
    with ProcessPoolExecutor(2, initializer=_keep, initargs=(photos,)) as pool:
        list(pool.map(_check_kept, range(2)))
        _, seconds = _timed(lambda: list(pool.map(_check_kept, range(len(keys)), chunksize=32)))
    print(f"check photos, 2 processes: {len(keys) / seconds:,.0f} images/s")


def _loading(photos: list[bytes]) -> None:
    """Measure micro-batches of decoded, resized photos for consumers that wait as for a GPU, or compute."""
    vision = VisionSpec(
        backbone="clip-vit-l-336px", arch="vit", family="vit", weights="random", checkpoint=None, resolution=336,
        resize="letterbox", interpolate=False, patch=14, width=1024, tokens=576, mean=(0.48, 0.46, 0.41),
        std=(0.27, 0.26, 0.28),
    )  # fmt: skip
    plan = BatchPlan(np.ones(len(photos), bool), np.zeros(len(photos), np.int64), 64, "7/finetune")
    shares = [share for step in range(plan.steps_per_epoch) for share in micro_batches(plan.batch(step), 0, 1, 16)]

    def collate(rows: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        opened = (decode(photos[row], PixelSpec()).picture for row in rows)
        return np.stack([pixels(picture, vision) for picture in opened])

    def consume(threads: int, compute: Callable[[], object]) -> float:
        def all_of_it() -> None:
            with closing(in_order(collate, shares, threads, 2 * threads)) as loaded:
                for _ in loaded:
                    compute()

        return _timed(all_of_it)[1]

    matrix = np.ones((1200, 1200), np.float32)
    consumers: dict[str, Callable[[], object]] = {
        "nothing": lambda: None,
        "a device for 100 ms": lambda: time.sleep(0.1),
        "a CPU core for about 100 ms": lambda: [matrix @ matrix for _ in range(2)],
    }
    for (name, compute), threads in itertools.product(consumers.items(), (0, 1, 2)):
        rate = len(photos) / consume(threads, compute)
        print(
            f"load 336 px letterbox, {threads} threads ahead, each micro-batch of 16 keeps {name}: {rate:,.0f} images/s"
        )


class SyntheticReader:
    """Reader of records in the proportions of LLaVA's mix, with one to four turns of some hundred characters."""

    def __init__(self, source: SourceSpec, data_root: Path):
        self._records = int(source.options["records"])

    def signature(self) -> list[list[Any]]:
        return [["made-up", self._records]]

    def records(self, refuse: Refuse = raise_refused) -> Iterator[Record]:
        every = max(2, RECORDS // TEXT_ONLY)
        for number in range(self._records):
            image = None if number % every == 0 else str(number % IMAGES)
            turns = (("what is there in the image?", "word " * (number % 97)),) * (1 + number % 4)
            yield Record(str(number), image, turns, () if image else ("text-only",))

    def image(self, key: str) -> bytes:
        return _TINY


class _Photos:
    def __init__(self, photos: list[bytes]):
        self._photos = photos

    def image(self, key: str) -> bytes:
        return self._photos[int(key)]


def _jpeg(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def _photo(number: int) -> bytes:
    """Make a picture with as many bytes as a photo of its size: smooth noise, 640 x 480."""
    noise = np.random.default_rng(number).integers(0, 255, (120, 160, 3), dtype=np.uint8)
    return _jpeg(Image.fromarray(noise).resize((640, 480), Image.Resampling.BICUBIC))


_TINY = _jpeg(Image.new("RGB", (8, 8)))
_KEPT: list[Any] = []


def _keep(photos: list[bytes]) -> None:
    _KEPT.append(_Photos(photos))


def _check_kept(number: int) -> bool:
    return all(image.problem is None for image in checked_images(_KEPT[0], [str(number % PHOTOS)], PixelSpec(), 0))


def _timed(work: Callable[[], T]) -> tuple[T, float]:
    began = time.perf_counter()
    return work(), time.perf_counter() - began


def _memory() -> int:
    return int(psutil.Process().memory_full_info().uss)


if __name__ == "__main__":
    with told_cost():
        main()
