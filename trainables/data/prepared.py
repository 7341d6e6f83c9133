"""Read a prepared source through a memory map: nothing is read before it is needed; several threads may read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from PIL import Image

from search_spaces.errors import InputError
from trainables.data.decode import UnusableImageError
from trainables.data.pictures import Pictures, mapped
from trainables.storage import layout
from trainables.storage.artifacts import verify_source
from trainables.storage.damages import refuse_damaged
from trainables.storage.record_files import read
from trainables.storage.records import PreparedManifest
from trainables.storage.store import Store


class PreparedSource:
    """Source as `prepare_source` has written it. Rows are in the file's order, image rows in that of first use."""

    def __init__(self, store: Store, digest: str):
        self.digest = digest
        manifest = read(store, layout.data_result(digest), PreparedManifest)
        if manifest is None:
            raise InputError(
                "must be a prepared source, but is not there",
                place=store.place(layout.data_result(digest)),
                way_out="Run the study again: the source is read anew.",
            )
        for damage in verify_source(store, digest, "content").damages:
            refuse_damaged(store, layout.data_folder(digest), damage)
        self._records = mapped(store, layout.data_records(digest))
        self.left_out = sum(manifest.counts.left_out.values())
        """Records that are not there because their images are lost."""
        self.pictures = Pictures(store, manifest.pictures, manifest.pixels)
        """Its distinct images."""
        images = mapped(store, layout.data_images(digest))
        self._keys = images["key"]
        self.picture_rows: np.ndarray[Any, np.dtype[np.int32]] = images["row"].to_numpy()
        """Row of each image among the pictures, which is that of its cached features."""
        self._questions, self._answers = self._records["questions"], self._records["answers"]
        self.image_rows: np.ndarray[Any, np.dtype[np.int32]] = self._records["image"].to_numpy()
        """Row of each record's image, -1 for text-only records."""

    def __len__(self) -> int:
        return int(self._records.num_rows)

    @property
    def num_images(self) -> int:
        return len(self._keys)

    def id(self, row: int) -> str:
        return str(self._records["id"][row])

    def turns(self, row: int) -> tuple[tuple[str, str], ...]:
        return tuple(zip(self._questions[row].as_py(), self._answers[row].as_py(), strict=True))

    def characters(self) -> np.ndarray[Any, np.dtype[np.int32]]:
        """Read the length of each record's text, in characters."""
        return self._records["characters"].to_numpy()  # type: ignore[no-any-return]

    def has_tag(self, tags: Iterable[str]) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Find the records that carry at least one of some tags; one boolean per row."""
        wanted = pa.array(sorted(tags), pa.string())
        column = self._records["tags"].combine_chunks()
        hits = np.cumsum(pc.is_in(column.values, wanted).to_numpy(zero_copy_only=False))
        until = np.concatenate([[0], hits])[column.offsets.to_numpy()]
        return np.asarray(until[1:] > until[:-1])

    def rows_with(self, tag: str) -> list[int]:
        """List the rows of the records that carry a tag."""
        return np.flatnonzero(self.has_tag([tag])).tolist()

    def rows_of(self, ids: Iterable[str]) -> list[int]:
        """List the rows of the records that have one of some ids."""
        wanted = pa.array(sorted(ids), pa.string())
        return np.flatnonzero(pc.is_in(self._records["id"], wanted).to_numpy()).tolist()

    def examples(self, rows: Sequence[int]) -> list[str]:
        """Read the examples of some records of an evaluation source, as JSON."""
        return self._records["example"].take(pa.array(rows, pa.int64())).to_pylist()  # type: ignore[no-any-return]

    def texts(self) -> Iterator[str]:
        """Read every question and answer, for vocabularies."""
        for column in (self._questions, self._answers):
            for chunk in column.chunks:
                yield from chunk.flatten().to_pylist()

    def questions(self, rows: Sequence[int] | np.ndarray[Any, np.dtype[np.int64]]) -> Iterator[str]:
        """Read the questions of some records, of all their turns."""
        return _texts_of(self._questions, rows)

    def answers(self, rows: Sequence[int] | np.ndarray[Any, np.dtype[np.int64]]) -> Iterator[str]:
        """Read the answers of some records, of all their turns."""
        return _texts_of(self._answers, rows)

    def image_key(self, image_row: int) -> str:
        return str(self._keys[image_row])

    def image_bytes(self, image_row: int) -> bytes:
        """Read the encoded image, unchanged."""
        return self.pictures.encoded(int(self.picture_rows[image_row]))

    def picture(self, image_row: int) -> Image.Image:
        """Decode an image to RGB as a person sees it. Raises InputError if that fails."""
        try:
            return self.pictures.picture(int(self.picture_rows[image_row]))
        except UnusableImageError as error:
            raise InputError(f"the image {self.image_key(image_row)!r} must be readable, but it {error}") from error


_ROWS_AT_ONCE = 4096


def _texts_of(column: pa.ChunkedArray, rows: Sequence[int] | np.ndarray[Any, np.dtype[np.int64]]) -> Iterator[str]:
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        for texts in column.take(pa.array(rows[start : start + _ROWS_AT_ONCE], pa.int64())).to_pylist():
            yield from texts
