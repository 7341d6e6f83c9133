"""Write and read the state of an engine: tensors as a safetensors file, everything else as JSON in its header.

A state is read as data: no pickle is opened, whatever the file is called, so that nothing in a file on shared storage
can run as the one who reads it. The digest of a file is computed while it is written, by the rank that writes it.

    digest = write_content(content_of({"step": 3, "weights": tensor}), folder / "rank-0.safetensors")
    with open_state(folder / "rank-0.safetensors") as state:
        first_100 = state["weights"][:100]
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

_STRUCTURE = "structure"
"""Key of the header's metadata that holds the JSON."""

_CHUNK_BYTES = 1 << 24

_DTYPES = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.int16: "I16",
    torch.int8: "I8",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}
"""Types of tensors by their names in a safetensors file. Others are refused when a state is written."""


class TensorReader(Protocol):
    """Tensor in an open file, of which only the parts that are asked for are read."""

    def get_shape(self) -> list[int]: ...

    def __getitem__(self, part: slice) -> Tensor: ...


@dataclass(frozen=True)
class StateContent:
    """What a file that holds a state consists of."""

    header: bytes
    tensors: tuple[Tensor, ...]
    """The bytes that follow the header, on any device; how they are cut into tensors does not matter."""

    @property
    def size(self) -> int:
        """Bytes of the tensors."""
        return sum(tensor.numel() * tensor.element_size() for tensor in self.tensors)

    def chunks(self) -> Iterator[memoryview]:
        """Yield the bytes of the file; tensors are copied to the host one at a time."""
        yield memoryview(self.header)
        for tensor in self.tensors:
            yield from _chunks(tensor)

    def digest(self) -> str:
        """Return the SHA-256 of the file that `write_content` would write."""
        digest = hashlib.sha256()
        for chunk in self.chunks():
            digest.update(chunk)
        return digest.hexdigest()


class WritingGivenUpError(Exception):
    """A file is not written to its end, because nobody wants it any more."""


def content_of(state: dict[str, Any]) -> StateContent:
    """Lay a state out as a file. Its tensors are the state's own; everything else is as it is now.

    Args:
        state: dicts, lists, tuples, numbers, texts, None and tensors, nested in any way.

    Raises:
        TypeError: a value of the state is of another type.
    """
    tensors: list[Tensor] = []

    def place(tensor: Tensor) -> int:
        """Take a tensor into the file; returns its number."""
        tensors.append(tensor.detach())
        return len(tensors) - 1

    structure = json.dumps(_plain(state, place))
    return StateContent(_header(tensors, structure), tuple(tensors))


def write_content(content: StateContent, path: Path, is_given_up: Callable[[], bool] = lambda: False) -> str:
    """Write a state to a new file, flush it to the disk, and return the SHA-256 of the file.

    Tensors are copied to the host one at a time. safetensors' own `save_file` would need them all there at once, and
    the digest a second reading from shared storage.

    Args:
        content: of the file.
        path: the file; its folder must be there.
        is_given_up: is asked before each 16 MiB whether to go on.

    Raises:
        WritingGivenUpError: `is_given_up` has said so.
    """
    digest = hashlib.sha256()
    with path.open("wb") as file:
        for chunk in content.chunks():
            if is_given_up():
                raise WritingGivenUpError
            file.write(chunk)
            digest.update(chunk)
        file.flush()
        os.fsync(file.fileno())
    return digest.hexdigest()


@contextmanager
def open_state(path: Path) -> Iterator[dict[str, Any]]:
    """Open a state that `write_content` has written, with a `TensorReader` in place of each of its tensors.

    Raises:
        ValueError: the file holds no such state.
    """
    try:
        opened = safe_open(path, "pt")
    except SafetensorError as error:
        raise _no_state(error) from error
    with opened as file:
        yield _state(file)


def state_damage(path: Path, digest: str) -> str | None:
    """Say what is wrong with a file of a state, or return None if it is the one of that digest and can be read.

    Args:
        path: the file.
        digest: SHA-256 that `write_content` has returned, as 64 hex digits.

    Raises:
        OSError: it is there and cannot be read: whether it is damaged is not known.
    """
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != digest:
            return f"it must have the SHA-256 {digest}, as it was written, but has {found}"
        with open_state(path):
            pass
    except FileNotFoundError:
        return "it is not there"
    except ValueError as error:
        return str(error)
    return None


def _state(file: Any) -> dict[str, Any]:
    """Put a state together from the structure in an open file's header and from readers of its tensors."""
    try:
        values = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118  # it is no mapping
        structure = json.loads((file.metadata() or {})[_STRUCTURE])
        state = _value(structure, values)
    except (SafetensorError, KeyError, ValueError, TypeError, IndexError, RecursionError) as error:
        raise _no_state(error) from error
    if not isinstance(state, dict):
        raise ValueError("it must hold a state as this program writes it, but its structure is no dict")
    return state


def _no_state(error: Exception) -> ValueError:
    return ValueError(f"it must hold a state as this program writes it, but cannot be read so ({error})")


def _plain(value: Any, place: Callable[[Tensor], int]) -> Any:
    """Return a value as JSON: what JSON does not have is an object with one key, its kind."""
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, Tensor):
        return {"tensor": place(value)}
    if isinstance(value, dict):
        return {"dict": [[_plain(key, place), _plain(content, place)] for key, content in value.items()]}
    if isinstance(value, list):
        return [_plain(content, place) for content in value]
    if isinstance(value, tuple):
        return {"tuple": [_plain(content, place) for content in value]}
    raise TypeError(f"a state must hold tensors and plain values only, but has a {type(value).__qualname__}")


def _value(plain: Any, tensors: dict[str, Any]) -> Any:
    """Return the value that `_plain` has made JSON of."""
    match plain:
        case list():
            return [_value(content, tensors) for content in plain]
        case {"tensor": int(number), **rest} if not rest:
            return tensors[str(number)]
        case {"tuple": list(contents), **rest} if not rest:
            return tuple(_value(content, tensors) for content in contents)
        case {"dict": list(items), **rest} if not rest:
            return {_value(key, tensors): _value(content, tensors) for key, content in items}
        case None | bool() | int() | float() | str():
            return plain
    raise ValueError(f"its structure has an object with the keys {sorted(plain)}")


def _header(tensors: list[Tensor], structure: str) -> bytes:
    """Build the header of a safetensors file: its length in 8 bytes, then JSON, filled up to whole 8 bytes."""
    entries: dict[str, Any] = {"__metadata__": {_STRUCTURE: structure}}
    end = 0
    for number, tensor in enumerate(tensors):
        if tensor.dtype not in _DTYPES:
            raise TypeError(f"a tensor of a state must be of {', '.join(map(str, _DTYPES))}, but is of {tensor.dtype}")
        begin, end = end, end + tensor.numel() * tensor.element_size()
        entries[str(number)] = {
            "dtype": _DTYPES[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [begin, end],
        }
    header = json.dumps(entries, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)
    return len(header).to_bytes(8, "little") + header


def _chunks(tensor: Tensor) -> Iterator[memoryview]:
    """Yield the bytes of a tensor in pieces that a processor's cache keeps between writing and digesting."""
    data = tensor.contiguous().cpu().reshape(-1).view(torch.uint8).numpy().data
    for begin in range(0, len(data), _CHUNK_BYTES):
        yield data[begin : begin + _CHUNK_BYTES]
