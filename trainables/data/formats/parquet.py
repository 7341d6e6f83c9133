"""Read Parquet sources: foreign ones, and those that `ablate data convert` writes. Images are read by row group."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from threading import Lock
from typing import Any

import pyarrow as pa

from search_spaces.errors import InputError
from search_spaces.regular_files import open_regular, require_regular
from search_spaces.spec import SourceSpec
from trainables.data.files import source_path, stats
from trainables.data.formats.conversations import CONVERSATION_FIELDS, FIELDS, read_record
from trainables.data.formats.image_fields import check_no_image
from trainables.data.record import Record
from trainables.data.refused import RecordError, Refuse, raise_refused

IMAGES_BY_PATH = b"ablate-vlm.images-by-path"
"""Key of a file's metadata: the path in `image` names the image, whose bytes are stored at its first use only."""

IMAGE_DIGEST = "image_sha256"
"""Column of such files: set where an image's bytes are stored."""

_ROWS = 1024
"""Records turned into Python values at a time."""

_CACHED_ROW_GROUPS = 3

_IMAGE_COLUMNS = ("image", "images")

_IMAGE_WORDS = re.compile("image|img|pic|photo|file|path", re.IGNORECASE)
"""In names of columns that may hold paths of images."""

Key = str | RecordError | None
"""Key of a row's image; None for text; or why the row has no image that can be read."""


class ParquetReader:
    """Reader of Parquet files whose rows are conversations in one of the forms of `conversations`.

    Columns: `image` (bytes, or a struct with `bytes`; null for text) or `images` (a list of at most one such), a
    conversation, `id`?, `tags`?. A folder's files are read in the order of their names. Images are known by file and
    row, except in files of `ablate data convert`, which keep the paths that the images had.
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

    def records(self, refuse: Refuse = raise_refused) -> Iterator[Record]:
        for number, file in enumerate(self._files):
            row = 0
            for group, table, keys in self._tables(number):
                for entry, key in zip(_rows(table), keys, strict=True):
                    try:
                        record = read_record(_with_image(entry, key), row)
                    except RecordError as error:
                        refuse(error.at(f"{file}[{row}] (row group {group})"))
                    else:
                        yield record
                    row += 1

    def image(self, key: str) -> bytes:
        try:
            number, group, row = self._at[key]
        except KeyError:
            raise FileNotFoundError(key) from None
        value = self._image_column(number, group)[row].as_py()
        if isinstance(value, list):
            value = value[0]
        return value["bytes"] if isinstance(value, dict) else value  # type: ignore[no-any-return]

    def _tables(self, number: int) -> Iterator[tuple[int, Any, list[Key]]]:
        """Read records without their images, in small tables, with the row group and the key of each record's image."""
        with self._open(number) as file:
            columns = [name for name in file.schema_arrow.names if name in FIELDS]
            for group in range(file.num_row_groups):
                with _pyarrow_errors_as_input(self._files[number]):
                    table = file.read_row_group(group, columns=columns)
                keys = self._keys(file, number, group, file.metadata.row_group(group).num_rows)
                for start in range(0, len(keys), _ROWS):
                    yield group, table.slice(start, _ROWS), keys[start : start + _ROWS]

    def _keys(self, file: Any, number: int, group: int, rows: int) -> list[Key]:
        import pyarrow.compute as pc  # 13 MB, which commands that open no Parquet file do without

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
        if _image_field(file.schema_arrow) is None:
            return [None] * rows
        before = sum(file.metadata.row_group(i).num_rows for i in range(group))
        keys: list[Key] = []
        for row, held in enumerate(self._held(file, number, group, rows)):
            key = f"{number}:{before + row}" if held is True else held or None
            if isinstance(key, str):
                self._at[key] = (number, group, row)
            keys.append(key)
        return keys

    def _held(self, file: Any, number: int, group: int, rows: int) -> list[bool | RecordError]:
        """Tell for each row whether it holds an image, or why that cannot be said."""
        metadata = file.metadata.row_group(group)
        for i in range(metadata.num_columns):
            column = metadata.column(i)
            if column.path_in_schema in ("image", "image.bytes") and column.statistics is not None:
                if column.statistics.has_null_count and column.statistics.null_count == 0:
                    return [True] * rows
                break
        name = _image_field(file.schema_arrow).name
        with _pyarrow_errors_as_input(self._files[number]):
            images = file.read_row_group(group, columns=[name])[name].combine_chunks()
        return _held_by_lists(images) if _is_list(images.type) else _held_by(images)

    def _image_column(self, number: int, group: int) -> Any:
        """Read the images of a row group. The last few stay in memory; one thread reads at a time."""
        with self._reading:
            key = (number, group)
            if key in self._row_groups:
                self._row_groups.move_to_end(key)
                return self._row_groups[key]
            with self._open(number) as file, _pyarrow_errors_as_input(self._files[number]):
                field = _image_field(file.schema_arrow)
                columns = [f"{field.name}.bytes"] if pa.types.is_struct(field.type) else [field.name]
                self._row_groups[key] = file.read_row_group(group, columns=columns)[field.name]
            while len(self._row_groups) > _CACHED_ROW_GROUPS:
                self._row_groups.popitem(last=False)
            return self._row_groups[key]

    def _open(self, number: int) -> Any:
        import pyarrow.parquet as pq  # see above

        path = self._files[number]
        with _pyarrow_errors_as_input(path):
            require_regular(path)
            file = pq.ParquetFile(path, memory_map=True)
        _check_once(file.schema_arrow.names, path)
        if not CONVERSATION_FIELDS & set(file.schema_arrow.names):
            law = f"must have a column of conversations: {', '.join(sorted(CONVERSATION_FIELDS))}"
            raise InputError(law, place=str(path))
        if set(_IMAGE_COLUMNS) <= set(file.schema_arrow.names):
            raise InputError("must have one column of images, but has `image` and `images`", place=str(path))
        field = _image_field(file.schema_arrow)
        if IMAGES_BY_PATH in (file.schema_arrow.metadata or {}):
            _check_converted(file.schema_arrow, path)
        elif field is not None:
            _check_image_type(field, path)
        else:
            _check_no_image(file, path)
        return file


def _image_field(schema: Any) -> Any:
    """Find the column of images; None for text only."""
    return next((schema.field(name) for name in _IMAGE_COLUMNS if name in schema.names), None)


def _is_list(kind: Any) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind))


def _check_converted(schema: Any, path: Path) -> None:
    """Check that a file of `ablate data convert` has its columns of images. Raises InputError."""
    image: Any = schema.field("image").type if "image" in schema.names else pa.null()
    fields = {image.field(i).name for i in range(image.num_fields)} if pa.types.is_struct(image) else set()
    if IMAGE_DIGEST not in schema.names or not fields >= {"bytes", "path"}:
        law = f"a converted file must have the columns `image` (bytes, path) and `{IMAGE_DIGEST}`, but lacks one"
        raise InputError(law, place=str(path), way_out="Convert the data again.")


def _check_once(names: list[str], path: Path) -> None:
    """Check that a column that is read is there once. Raises InputError."""
    read = FIELDS | {*_IMAGE_COLUMNS, IMAGE_DIGEST}
    twice = next((name for name in names if name in read and names.count(name) > 1), None)
    if twice is not None:
        raise InputError(
            f"a column must be there once, but {twice!r} is there {names.count(twice)} times", place=str(path)
        )


def _check_no_image(file: Any, path: Path) -> None:
    """Check that a file of text has no images, and no paths of images, under another name. Raises InputError."""
    schema = file.schema_arrow
    texts = [field.name for field in schema if pa.types.is_string(field.type) or pa.types.is_large_string(field.type)]
    named = [name for name in texts if name not in FIELDS and _IMAGE_WORDS.search(name)]
    if named and file.num_row_groups:
        with _pyarrow_errors_as_input(path):
            first = file.read_row_group(0, columns=named).slice(0, 1).to_pylist()
        try:
            check_no_image(first[0] if first else {})
        except RecordError as error:
            raise InputError(error.law, place=str(path)) from error
    for field in schema:
        kind = field.type.value_type if _is_list(field.type) else field.type
        if pa.types.is_struct(kind) and kind.get_field_index("bytes") >= 0:
            kind = kind.field("bytes").type
        if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
            law = f"images must be in a column `image` or `images`, but are in {field.name!r}"
            raise InputError(law, place=str(path))


def _check_image_type(field: Any, path: Path) -> None:
    """Check that a column holds encoded images. Raises InputError."""
    kind = field.type.value_type if _is_list(field.type) else field.type
    if pa.types.is_struct(kind):
        kind = kind.field("bytes").type if kind.get_field_index("bytes") >= 0 else kind
    if not (pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_null(kind)):
        law = f"`{field.name}` must be bytes, or a struct with `bytes`, but is {field.type}"
        raise InputError(law, place=str(path))


def _held_by(images: Any) -> list[bool | RecordError]:
    """Tell for each value of an image column whether it has bytes; a path alone is no image."""
    import pyarrow.compute as pc

    if not pa.types.is_struct(images.type):
        return images.is_valid().to_pylist()  # type: ignore[no-any-return]
    held = pc.struct_field(images, "bytes").is_valid().to_pylist()
    has_paths = images.type.get_field_index("path") >= 0
    paths = pc.struct_field(images, "path").to_pylist() if has_paths else [None] * len(held)
    return [
        RecordError("image path", f"an image must have its bytes in the file, but {path!r} is a path alone")
        if path and not has_bytes
        else has_bytes
        for has_bytes, path in zip(held, paths, strict=True)
    ]


def _held_by_lists(images: Any) -> list[bool | RecordError]:
    """Tell for each list of images whether it has one, which must have bytes."""
    import pyarrow.compute as pc

    items = iter(_held_by(pc.list_flatten(images)))
    result: list[bool | RecordError] = []
    for size in pc.list_value_length(images).to_pylist():
        held = list(islice(items, size or 0))
        law = f"a record must have at most one image, but this has a list of {size} images"
        result.append(RecordError("several images", law) if len(held) > 1 else held[0] if held else False)
    return result


def _with_image(entry: dict[str, Any] | RecordError, key: Key) -> dict[str, Any]:
    """Add the key of its image to a row. Raises what was found wrong with either."""
    for wrong in (entry, key):
        if isinstance(wrong, RecordError):
            raise wrong
    return {**entry, "image": key}  # type: ignore[dict-item]  # neither is an error here


def _rows(table: Any) -> list[dict[str, Any] | RecordError]:
    """Turn a small table into Python values; a row whose text is not UTF-8 becomes an error."""
    try:
        return table.to_pylist()  # type: ignore[no-any-return]
    except UnicodeDecodeError:
        return [_row(table.slice(row, 1)) for row in range(table.num_rows)]


def _row(table: Any) -> dict[str, Any] | RecordError:
    try:
        return table.to_pylist()[0]  # type: ignore[no-any-return]
    except UnicodeDecodeError as error:
        return RecordError("encoding", f"texts must be UTF-8, but one has {error.object[error.start]:#04x}")


@contextmanager
def _pyarrow_errors_as_input(path: Path) -> Iterator[None]:
    """Translate pyarrow's errors about a file into an InputError that names it."""
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        what, way_out = ("it is JSON", "Call it .json or .jsonl.") if _is_json(path) else (error, None)
        raise InputError(f"must be a readable Parquet file, but {what}", place=str(path), way_out=way_out) from error


def _is_json(path: Path) -> bool:
    try:
        with open_regular(path) as file:
            return file.read(64).lstrip()[:1] in (b"{", b"[")
    except OSError:
        return False
