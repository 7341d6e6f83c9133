"""Text is read in every encoding that programs save, and what is no text is told apart."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from search_spaces.errors import InputError
from trainables.benchmarks.files.plain_text import read_text

TEXT = "a\u00e9,b\n1,\u65e5\u672c\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("packed", [False, True])
def test_text_is_the_same_in_every_encoding(tmp_path: Path, encoding: str, ends: str, packed: bool) -> None:
    data = TEXT.replace("\n", ends).encode(encoding)
    (tmp_path / "t").write_bytes(gzip.compress(data) if packed else data)
    assert read_text(tmp_path / "t") == TEXT


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_without_a_mark_is_seen_by_its_zero_bytes(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "t").write_bytes("model,gqa\n".encode(encoding))
    assert read_text(tmp_path / "t") == "model,gqa\n"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"caf\xe9", "must be UTF-8 text"),
        (b"a\0b,c,d,e,f,g", "holds zero bytes"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "pointer of Git LFS"),
        (b"<!DOCTYPE html><html></html>", "is an HTML page"),
        (gzip.compress(b"a" * 999, mtime=0)[:-9], "complete gzip file"),
    ],
)
def test_what_is_no_text_is_told_apart(tmp_path: Path, data: bytes, message: str) -> None:
    (tmp_path / "t").write_bytes(data)
    with pytest.raises(InputError, match=message):
        read_text(tmp_path / "t")
