"""Read Parquet sources: foreign ones, and those that `ablate data convert` writes. Images are read by row group."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from search_spaces.errors import InputError
from search_spaces.spec import SourceSpec
from trainables.data.files import source_path, stats
from trainables.data.formats.llava_json import llava_record
from trainables.data.record import Record

IMAGES_BY_PATH = b"ablate-vlm.images-by-path"
"""Key of a file's metadata: the path in `image` names the image, whose bytes are stored at its first use only."""

IMAGE_DIGEST = "image_sha256"
"""Column of such files: set where an image's bytes are stored."""

_ROWS = 1024
"""Records turned into Python values at a time."""

_CACHED_ROW_GROUPS = 3


class ParquetReader:
    """Reader of Parquet files with records as LLaVA's.

    Columns: `id`, `image` (bytes, or a struct with `bytes`; null for text), `conversations`, `tags`?. A
    folder's files are read in the order of their names. Images are known by file and row, except in files of
    `ablate data convert`, which keep the paths that the images had.
    """

    def __init__(self, source: SourceSpec, data_root: Path):
        path = source_path(source, data_root, "a file or folder")
        self._files = sorted(path.glob("*.parquet")) if path.is_dir() else [path]
        if not self._files:
            raise InputError("a folder of a parquet source must hold files *.parquet, but has none", place=str(path))
        self._row_groups: OrderedDict[tuple[int, int], Any] = OrderedDict()
        self._reading = Lock()
        self._at: dict[str, tuple[int, int, int]] = {}
        """Image -> file, row group and row in it."""

    def signature(self) -> list[list[Any]]:
        return stats(self._files)

    def records(self) -> Iterator[Record]:
        for number, file in enumerate(self._files):
            row = 0
            for table, keys in self._tables(number):
                for entry, key in zip(table.to_pylist(), keys, strict=True):
                    yield llava_record({**entry, "image": key}, row, f"{file}[{row}]")
                    row += 1

    def image(self, key: str) -> bytes:
        try:
            number, group, row = self._at[key]
        except KeyError:
            raise FileNotFoundError(key) from None
        value = self._image_column(number, group)[row].as_py()
        return value["bytes"] if isinstance(value, dict) else value  # type: ignore[no-any-return]

    def _tables(self, number: int) -> Iterator[tuple[Any, list[str | None]]]:
        """Read records without their images, in small tables, and the key of each record's image."""
        with self._open(number) as file:
            columns = [name for name in ("id", "conversations", "tags") if name in file.schema_arrow.names]
            for group in range(file.num_row_groups):
                with _pyarrow_errors_as_input(self._files[number]):
                    table = file.read_row_group(group, columns=columns)
                keys = self._keys(file, number, group, table.num_rows)
                for start in range(0, table.num_rows, _ROWS):
                    yield table.slice(start, _ROWS), keys[start : start + _ROWS]

    def _keys(self, file: Any, number: int, group: int, rows: int) -> list[str | None]:
        if IMAGES_BY_PATH in (file.schema_arrow.metadata or {}):
            with _pyarrow_errors_as_input(self._files[number]):
                table = file.read_row_group(group, columns=["image.path", IMAGE_DIGEST])
            paths = pc.struct_field(table["image"], "path").to_pylist()
            for row, (path, is_stored) in enumerate(
                zip(paths, table[IMAGE_DIGEST].is_valid().to_pylist(), strict=True)
            ):
                if is_stored:
                    self._at[path] = (number, group, row)
            return paths  # type: ignore[no-any-return]
        stored = self._stored(file, number, group, rows)
        before = sum(file.metadata.row_group(i).num_rows for i in range(group))
        keys = [f"{number}:{before + row}" if stored[row] else None for row in range(rows)]
        self._at |= {key: (number, group, row) for row, key in enumerate(keys) if key is not None}
        return keys

    def _stored(self, file: Any, number: int, group: int, rows: int) -> list[bool]:
        """Find the rows that hold an image's bytes: from the file's statistics, unless only some of the rows do."""
        metadata = file.metadata.row_group(group)
        for i in range(metadata.num_columns):
            column = metadata.column(i)
            if column.path_in_schema in ("image", "image.bytes") and column.statistics is not None:
                if column.statistics.has_null_count and column.statistics.null_count in (0, rows):
                    return [column.statistics.null_count == 0] * rows
                break
        image = self._image_column(number, group)
        if pa.types.is_struct(image.type):
            image = pc.struct_field(image, "bytes")
        return image.is_valid().to_pylist()  # type: ignore[no-any-return]

    def _image_column(self, number: int, group: int) -> Any:
        """Read the images of a row group. The last few stay in memory; one thread reads at a time."""
        with self._reading:
            key = (number, group)
            if key in self._row_groups:
                self._row_groups.move_to_end(key)
                return self._row_groups[key]
            with self._open(number) as file, _pyarrow_errors_as_input(self._files[number]):
                columns = ["image.bytes"] if pa.types.is_struct(file.schema_arrow.field("image").type) else ["image"]
                self._row_groups[key] = file.read_row_group(group, columns=columns)["image"]
            while len(self._row_groups) > _CACHED_ROW_GROUPS:
                self._row_groups.popitem(last=False)
            return self._row_groups[key]

    def _open(self, number: int) -> Any:
        path = self._files[number]
        with _pyarrow_errors_as_input(path):
            file = pq.ParquetFile(path, memory_map=True)
        schema = file.schema_arrow
        missing = {"id", "image", "conversations"} - set(schema.names)
        if missing:
            raise InputError(f"must have the columns {', '.join(sorted(missing))}", place=str(path))
        image = schema.field("image").type
        if pa.types.is_struct(image):
            image = image.field("bytes").type if image.get_field_index("bytes") >= 0 else image
        if not (pa.types.is_binary(image) or pa.types.is_large_binary(image) or pa.types.is_null(image)):
            raise InputError(f"`image` must be bytes, or a struct with `bytes`, but is {image}", place=str(path))
        return file


@contextmanager
def _pyarrow_errors_as_input(path: Path) -> Iterator[None]:
    """Translate pyarrow's errors about a file into an InputError that names it."""
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"must be a readable Parquet file, but {error}", place=str(path)) from error
