"""A damaged file of every binary format is told from a whole one by its size and header alone."""

from __future__ import annotations

import errno
import io
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from safetensors.numpy import save

from trainables.storage.payloads import Check, check_arrow, check_npy, check_parquet, check_safetensors, damage
from trainables.storage.store import LocalStore

TABLE = pa.table({"id": [str(number) for number in range(1000)], "score": [0.5] * 1000})


def _npy() -> bytes:
    content = io.BytesIO()
    np.save(content, np.ones((30, 4, 8), np.float32))
    return content.getvalue()


def _arrow() -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, TABLE.schema) as writer:
        writer.write_table(TABLE)
    return bytes(sink.getvalue())


def _parquet() -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(TABLE, sink)
    return bytes(sink.getvalue())


FORMATS: dict[str, tuple[bytes, Check]] = {
    "safetensors": (save({"a": np.ones((40, 8), np.float32), "b": np.ones(3, np.float32)}), check_safetensors),
    "safetensors with texts": (save({"a": np.ones(9, np.float32)}, {"format": "pt"}), check_safetensors),
    "safetensors of nothing": (save({}), check_safetensors),
    "npy": (_npy(), partial(check_npy, shape=(30, 4, 8))),
    "arrow": (_arrow(), check_arrow),
    "parquet": (_parquet(), check_parquet),
}

DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda content: b"",
    "cut in the header": lambda content: content[:6],
    "cut in the middle": lambda content: content[: len(content) // 2],
    "without its last byte": lambda content: content[:-1],
    "with a byte too many": lambda content: content + b"\x00",
    "no fields": lambda content: b"{}",
    "other bytes": lambda content: b"\x89PNG\r\n\x1a\n" * 100,
    "only zeros": lambda content: bytes(len(content) + 8),
    "its beginning lost": lambda content: b"\x00" * 16 + content[16:],
}


@pytest.mark.parametrize("name", FORMATS)
def test_damage_of_a_whole_file_is_none(name: str, tmp_path: Path) -> None:
    content, check = FORMATS[name]
    store = LocalStore(tmp_path)
    store.put("file", content)
    assert damage(store, "file", check) is None


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("kind", DAMAGES)
def test_damage_of_a_damaged_file_is_told(name: str, kind: str, tmp_path: Path) -> None:
    content, check = FORMATS[name]
    store = LocalStore(tmp_path)
    store.put("file", DAMAGES[kind](content))
    assert damage(store, "file", check)


@pytest.mark.parametrize("name", FORMATS)
def test_damage_of_a_file_that_is_not_there_or_a_folder_is_told(name: str, tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    assert damage(store, "file", FORMATS[name][1]) == "it is not there"
    (tmp_path / "file").mkdir()
    (tmp_path / "file" / "inside").touch()
    assert damage(store, "file", FORMATS[name][1])


def test_check_npy_of_another_shape_or_type_tells_it(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    store.put("file", _npy())
    assert "shape" in str(damage(store, "file", partial(check_npy, shape=(30, 8, 4))))
    np.save(tmp_path / "file.npy", np.ones((30, 4, 8), np.float64))
    assert "f8" in str(damage(store, "file.npy", partial(check_npy, shape=(30, 4, 8))))


class _FailingFile(io.RawIOBase):
    """A file whose bytes cannot be read."""

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        return offset

    def readinto(self, buffer: object) -> int:
        raise OSError(errno.EIO, "Input/output error")


class _FailingDisk(LocalStore):
    def open(self, name: str) -> io.BufferedReader:
        return io.BufferedReader(_FailingFile())


class _RefusingDisk(LocalStore):
    def open(self, name: str) -> io.BufferedReader:
        raise PermissionError(errno.EACCES, "Permission denied")


@pytest.mark.parametrize("kind", [_FailingDisk, _RefusingDisk])
@pytest.mark.parametrize("name", FORMATS)
def test_damage_of_a_file_that_cannot_be_read_now_is_not_known(
    name: str, kind: type[LocalStore], tmp_path: Path
) -> None:
    store = kind(tmp_path)
    store.put("file", FORMATS[name][0])
    with pytest.raises(OSError, match=r"Input/output error|Permission denied"):
        damage(store, "file", FORMATS[name][1])
