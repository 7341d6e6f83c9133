"""A content is digested once per process, and anew as soon as its file was replaced or written to."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import pytest

from trainables.storage.digests import facts_if_changed, file_digest, first_changed_row, row_digest
from trainables.storage.store import LocalStore


class _CountingStore(LocalStore):
    opened = 0

    def open(self, name: str) -> io.BufferedReader:
        self.opened += 1
        return super().open(name)


def test_a_content_is_read_once_however_often_its_digest_is_asked_for(tmp_path: Path) -> None:
    store = _CountingStore(tmp_path)
    store.put("a", b"one")
    assert [file_digest(store, "a") for _ in range(3)] == [hashlib.sha256(b"one").hexdigest()] * 3
    assert store.opened == 1


def test_a_file_that_was_replaced_is_digested_anew_though_size_and_time_are_equal(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    store.put("a", b"one")
    assert file_digest(store, "a") == hashlib.sha256(b"one").hexdigest()
    store.put("a", b"two")
    assert file_digest(store, "a") == hashlib.sha256(b"two").hexdigest()
    with pytest.raises(FileNotFoundError):
        file_digest(store, "b")


class _FlakyStore(LocalStore):
    """Storage whose first reads of a file go wrong on their way."""

    def __init__(self, root: Path, *wrong: bytes):
        super().__init__(root)
        self.wrong = [*wrong]

    def open(self, name: str) -> io.BufferedReader:
        if self.wrong:
            return io.BufferedReader(io.BytesIO(self.wrong.pop(0)))  # type: ignore[arg-type]
        return super().open(name)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_one_bad_read_is_neither_damage_nor_kept(tmp_path: Path) -> None:
    store = _FlakyStore(tmp_path, b"onf")
    store.put("a", b"one")
    assert facts_if_changed(store, "a", _digest(b"one")) is None
    assert file_digest(store, "a") == _digest(b"one")


def test_two_reads_that_agree_name_the_file_that_was_read(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    store.put("a", b"onf")
    assert facts_if_changed(store, "a", _digest(b"one")) == store.facts("a")


def test_reads_that_differ_from_one_another_tell_nothing_of_the_file(tmp_path: Path) -> None:
    store = _FlakyStore(tmp_path, b"onf", b"", b"ond")
    store.put("a", b"one")
    with pytest.raises(OSError, match="two reads"):
        facts_if_changed(store, "a", _digest(b"one"))


@pytest.mark.parametrize("row_bytes", [1, 96, 1 << 20])
def test_the_first_row_that_changed_is_found_whatever_is_read_at_once(row_bytes: int) -> None:
    rows = [bytes([number]) * row_bytes for number in range(40)]
    digests = b"".join(map(row_digest, rows))
    assert first_changed_row(io.BytesIO(b"".join(rows)), row_bytes, digests) is None
    for changed in (0, 17, 39):
        wrong = [*rows[:changed], bytes([rows[changed][0] ^ 128]) + rows[changed][1:], *rows[changed + 1 :]]
        assert first_changed_row(io.BytesIO(b"".join(wrong)), row_bytes, digests) == changed
    assert first_changed_row(io.BytesIO(b"".join(rows)[:-1]), row_bytes, digests) == 39
