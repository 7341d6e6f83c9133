"""Tell whether the binary files on storage are whole, from their size and their header or footer. No torch.

Writing aside and renaming keeps half-written files out; this is about what happens to a file later: a full disk, a
broken copy, an editor. No content is read, so a check costs a few reads of some kilobytes however large the file is.
Bytes that change within a file of the right size are found by its digest (`trainables.storage.artifacts`).

    problem = damage(store, "stages/<key>/projector.safetensors", check_safetensors)
"""

from __future__ import annotations

import ast
import io
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field, RootModel, ValidationError

from trainables.storage.store import Store

Check = Callable[[io.BufferedIOBase, int], str | None]
"""Of an open file and its size in bytes: what is wrong with it, as the end of "must be complete, but ..."."""

_ARROW_MAGIC = b"ARROW1"
_NPY_MAGIC = b"\x93NUMPY\x01\x00"
"""Of version 1.0, which holds every array without named fields."""


def damage(store: Store, name: str, check: Check) -> str | None:
    """Say what is wrong with a file on storage, or return None if it is whole.

    Args:
        store: where it is.
        name: of the file, relative to the storage root.
        check: of its format.

    Raises:
        OSError: it is there and cannot be read: whether it is damaged is not known.
    """
    try:
        size = store.facts(name).size
        with store.open(name) as file:
            problem = check(file, size)
        return "it is empty" if problem is not None and size == 0 else problem
    except (FileNotFoundError, NotADirectoryError):
        return "it is not there"
    except IsADirectoryError:
        return "it is a folder"


def require_content_error(error: Exception) -> None:
    """Raise an error again that a file system, and not what a file holds, has led to: Arrow raises both as OSError."""
    if isinstance(error, OSError) and error.errno is not None:
        raise error


@dataclass(frozen=True)
class _Tensor:
    data_offsets: tuple[int, int]


_Entry = Annotated[_Tensor | dict[str, str], Field(union_mode="left_to_right")]


class _SafetensorsHeader(RootModel[dict[str, _Entry]]):
    """Tensor -> where its bytes are, and texts under the name `__metadata__`."""


def check_safetensors(file: io.BufferedIOBase, size: int) -> str | None:
    """Check that a safetensors file is as long as its header says."""
    length = int.from_bytes(file.read(8), "little")
    if 8 + length > size:
        return "its header is cut or is none"
    try:
        header = _SafetensorsHeader.model_validate_json(file.read(length), strict=True).root
    except ValidationError:
        return "its header cannot be read"
    data = max((entry.data_offsets[1] for entry in header.values() if isinstance(entry, _Tensor)), default=0)
    return _unequal(size, 8 + length + data)


def check_npy(file: io.BufferedIOBase, size: int, *, shape: Sequence[int]) -> str | None:
    """Check that a NumPy file holds float32 of a shape, and is as long as that.

    Its header is read here: NumPy takes longer to load than the commands that need nothing else of it.
    """
    start = file.read(len(_NPY_MAGIC) + 2)
    if not start.startswith(_NPY_MAGIC):
        return "its header is none"
    length = int.from_bytes(start[-2:], "little")
    try:
        header = ast.literal_eval(file.read(length).decode("latin1").strip())
    except (ValueError, SyntaxError):
        return "its header cannot be read"
    if header != {"descr": "<f4", "fortran_order": False, "shape": tuple(shape)}:
        return f"its header says {header}, where float32 of the shape {tuple(shape)} was written"
    return _unequal(size, len(start) + length + 4 * math.prod(shape))


def seek_npy_rows(file: io.BufferedIOBase) -> None:
    """Move to the first row of a NumPy file whose header is whole."""
    start = file.read(len(_NPY_MAGIC) + 2)
    file.seek(len(start) + int.from_bytes(start[-2:], "little"))


def check_arrow(file: io.BufferedIOBase, size: int) -> str | None:
    """Check that an Arrow file begins and ends as one, and that its footer can be read."""
    import pyarrow as pa  # takes as long to load as `ablate status` runs, and only data need it

    if file.read(len(_ARROW_MAGIC)) != _ARROW_MAGIC:
        return "its beginning is that of no Arrow file"
    file.seek(0)
    try:
        pa.ipc.open_file(pa.PythonFile(file, "r")).num_record_batches  # noqa: B018  # opening reads the footer
    except (pa.ArrowException, OSError) as error:
        require_content_error(error)
        return f"its footer cannot be read ({error})"
    return None


def check_parquet(file: io.BufferedIOBase, size: int) -> str | None:
    """Check that a Parquet file begins and ends as one, and that its footer can be read."""
    import pyarrow as pa  # see above
    import pyarrow.parquet as pq

    if file.read(4) != b"PAR1":
        return "its beginning is that of no Parquet file"
    file.seek(0)
    try:
        pq.read_metadata(pa.PythonFile(file, "r"))
    except (pa.ArrowException, OSError) as error:
        require_content_error(error)
        return f"its footer cannot be read ({error})"
    return None


def _unequal(size: int, whole: int) -> str | None:
    return None if size == whole else f"it has {size:,} bytes where its header says {whole:,}"
