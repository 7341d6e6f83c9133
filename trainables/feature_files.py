"""Write and map the files of cached features: an array of fp32, and the digest of each of its rows. No torch.

The digests serve twice. While features are computed, they say how many rows are whole, so that a producer goes on
where a killed one was, be it that only half of what it wrote has reached the disk. Later every row is verified when a
process first reads it: features may have terabytes, of which an evaluation reads a few rows.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from trainables.storage import layout
from trainables.storage.damages import Damage, absent, changed_row, refuse_damaged
from trainables.storage.digests import ROW_DIGEST_BYTES, confirmed, first_changed_row, row_digest
from trainables.storage.finished import finished_features
from trainables.storage.flush import flush_tree
from trainables.storage.store import Facts, Store

Features = np.ndarray[Any, np.dtype[np.float32]]
Rows = Sequence[int] | np.ndarray[Any, np.dtype[np.integer[Any]]]

_verified: dict[tuple[str, Facts], np.ndarray[Any, np.dtype[np.bool_]]] = {}
"""File and content -> which of its rows this process has verified."""


class FeatureRows(Protocol):
    """Features of pictures, pictures x positions x width, read row by row."""

    def row(self, row: int) -> Features:
        """Read the features of one picture."""
        ...

    def rows(self, rows: Rows) -> Features:
        """Read the features of some pictures."""
        ...


class CachedFeatures:
    """Cached features of pictures, pictures x positions x width, mapped: a row is read and verified when it is needed.

    Args:
        store: where they are.
        key: of the features.
        digests: of all rows, one after another; None if the version that computed them kept none.
    """

    def __init__(self, store: Store, key: str, digests: bytes | None):
        self._store, self._key, self._digests = store, key, digests
        self._name = layout.features_array(key)
        self._place, self._facts = store.place(self._name), store.facts(self._name)
        self._mapped: Features = np.load(store.reading(self._name), mmap_mode="r")
        self._verified = _verified.setdefault((self._place, self._facts), np.zeros(len(self._mapped), np.bool_))

    def __len__(self) -> int:
        return len(self._mapped)

    def row(self, row: int) -> Features:
        """Read the features of one picture.

        Raises:
            DamagedArtifactError: they are not what was computed.
            OSError: they read as another content each time.
        """
        features_PC: Features = self._mapped[row]
        if self._digests is not None and not self._verified[row]:
            recorded = self._digests[row * ROW_DIGEST_BYTES : (row + 1) * ROW_DIGEST_BYTES]

            def look() -> bytes | None:
                digest = row_digest(np.ascontiguousarray(features_PC).data.cast("B"))
                return None if digest == recorded else digest

            if confirmed(look, self._place) is not None:
                damage = Damage(self._name, changed_row(row), self._place, self._facts)
                refuse_damaged(self._store, layout.features_folder(self._key), damage)
            self._verified[row] = True
        return features_PC

    def rows(self, rows: Rows) -> Features:
        """Read the features of some pictures; raises as `row` does."""
        return np.stack([self.row(int(row)) for row in rows])


def open_features(store: Store, key: str) -> CachedFeatures:
    """Map the cached features of a key.

    Raises:
        DamagedArtifactError: they are damaged, or not there: another trial may be making them again.
    """
    result = finished_features(store, key)
    if result is None:
        raise absent(store, layout.features_result(key)).error()
    try:
        return CachedFeatures(store, key, store.get(layout.features_rows(key)) if result.rows_digest else None)
    except FileNotFoundError:
        raise absent(store, layout.features_array(key)).error() from None


class FeatureWriter:
    """Writer of features, which goes on where an earlier one was killed. Batches are kept or written in their order."""

    def __init__(self, array: io.BufferedRandom, rows: io.BufferedRandom, shape: tuple[int, ...]):
        self._array, self._rows = array, rows
        self._header = _header(shape)
        self._row_bytes = 4 * int(np.prod(shape[1:]))
        self._digests = rows.read()
        if array.read(len(self._header)) != self._header:
            self._digests = b""

    def has(self, batch: range) -> bool:
        """Tell whether a batch was written whole; once one was not, those after it are written anew, too."""
        recorded = self._digests[batch.start * ROW_DIGEST_BYTES : batch.stop * ROW_DIGEST_BYTES]
        if len(recorded) == len(batch) * ROW_DIGEST_BYTES:
            self._array.seek(len(self._header) + batch.start * self._row_bytes)
            if first_changed_row(self._array, self._row_bytes, recorded) is None:
                return True
        self._digests = b""
        return False

    def write(self, batch: range, features_BPC: Features) -> None:
        """Write the features of a batch, then the digests that say so."""
        content = np.ascontiguousarray(features_BPC, np.float32)
        if batch.start == 0:
            self._array.seek(0)
            self._array.write(self._header)
        self._array.seek(len(self._header) + batch.start * self._row_bytes)
        self._array.write(content.data.cast("B"))
        self._array.flush()
        self._rows.seek(batch.start * ROW_DIGEST_BYTES)
        self._rows.write(b"".join(row_digest(row.data.cast("B")) for row in content))
        self._rows.truncate()
        self._rows.flush()

    def end(self, total: int) -> None:
        """Cut what lies after the last row, and write the header where there is no row.

        Args:
            total: rows of the features.
        """
        if total == 0:
            self._array.seek(0)
            self._array.write(self._header)
        self._array.truncate(len(self._header) + total * self._row_bytes)
        self._rows.truncate(total * ROW_DIGEST_BYTES)


@contextmanager
def writing_features(folder: Path, shape: tuple[int, ...]) -> Iterator[FeatureWriter]:
    """Open the files of features in a folder, with what an earlier writer left there; they are flushed at the end.

    Args:
        folder: of the files, and of nothing else.
        shape: pictures, positions, width.
    """
    names = layout.features_array("key"), layout.features_rows("key")
    array, rows = (folder / Path(name).name for name in names)
    for path in (array, rows):
        path.touch()
    with array.open("r+b") as array_file, rows.open("r+b") as rows_file:
        writer = FeatureWriter(array_file, rows_file, shape)
        yield writer
        writer.end(shape[0])
    flush_tree(folder)


def _header(shape: tuple[int, ...]) -> bytes:
    header = io.BytesIO()
    fields = {"descr": "<f4", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(header, fields)
    return header.getvalue()
