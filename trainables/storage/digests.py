"""Digest files on storage, each content once per process: 0.8 s per GB where the CPU has instructions for SHA-256.

A content is known by size, time of change and inode of its file, so that a file that is replaced or written to is
digested again. Threads may call everything here.

One read may go wrong on its way through a cable, a cache or memory. So a content that differs from what was digested is
read a second time, and counts as changed where both reads agree.
"""

from __future__ import annotations

import errno
import hashlib
import io
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from trainables.storage.store import Facts, Store

Change = TypeVar("Change")

ROW_DIGEST_BYTES = hashlib.sha256().digest_size
"""Of one row's digest in a file of digests, which has them one after another."""

_ROWS_AT_ONCE_BYTES = 1 << 24

_digests: dict[tuple[str, Facts], str] = {}
_lock = threading.Lock()


def file_digest(store: Store, name: str) -> str:
    """Compute the SHA-256 of a file, 64 hex digits. Raises FileNotFoundError if it is not there."""
    return _digested(store, name)[1]


def facts_if_changed(store: Store, name: str, digest: str) -> Facts | None:
    """Read the facts of a file whose content is another one than was digested.

    Args:
        store: where it is.
        name: of the file.
        digest: SHA-256 of what was written.

    Returns:
        The facts of the file that was read, if its content has changed; else None.

    Raises:
        FileNotFoundError: it is not there.
        OSError: it cannot be read, or reads as another content each time: whether it has changed is not known.
    """

    def look() -> tuple[Facts, str] | None:
        facts, content = _digested(store, name)
        if content == digest:
            return None
        with _lock:
            _digests.pop((store.place(name), facts), None)
        _drop_cached_pages(store, name)
        return facts, content

    change = confirmed(look, store.place(name))
    return None if change is None else change[0]


def confirmed(look: Callable[[], Change | None], place: str) -> Change | None:
    """Look for a change of a content, and a second time if there is one.

    Args:
        look: reads the content; returns what has changed, or None.
        place: of the content, for people.

    Returns:
        The change that both looks have shown; None if one of them has shown none.

    Raises:
        OSError: the looks differ from one another.
    """
    first = look()
    second = None if first is None else look()
    if second is None or second == first:
        return second
    raise OSError(errno.EIO, "two reads of a file that nobody writes gave different contents", place)


def _digested(store: Store, name: str) -> tuple[Facts, str]:
    facts = store.facts(name)
    content = store.place(name), facts
    with _lock:
        known = _digests.get(content)
    if known is None:
        with store.open(name) as file:
            known = hashlib.file_digest(file, "sha256").hexdigest()
        with _lock:
            _digests[content] = known
    return facts, known


def _drop_cached_pages(store: Store, name: str) -> None:
    """Have the kernel read a file from its storage the next time, as far as nobody has it mapped."""
    with suppress(OSError, AttributeError), store.open(name) as file:  # no file of this machine's, or no Linux
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def row_digest(row: bytes | memoryview) -> bytes:
    """Compute the digest of one row's bytes."""
    return hashlib.sha256(row).digest()


def first_changed_row(file: io.BufferedIOBase, row_bytes: int, digests: bytes) -> int | None:
    """Find the first row whose bytes are not those that were digested; None if there is none.

    Args:
        file: open at the first row.
        row_bytes: bytes of a row.
        digests: of all rows in their order, `ROW_DIGEST_BYTES` each.
    """
    at_once = max(1, _ROWS_AT_ONCE_BYTES // max(row_bytes, 1))
    total = len(digests) // ROW_DIGEST_BYTES
    for start in range(0, total, at_once):
        content = memoryview(file.read(row_bytes * min(at_once, total - start)))
        for number in range(start, min(start + at_once, total)):
            at = (number - start) * row_bytes
            recorded = digests[number * ROW_DIGEST_BYTES : (number + 1) * ROW_DIGEST_BYTES]
            if row_digest(content[at : at + row_bytes]) != recorded:
                return number
    return None
