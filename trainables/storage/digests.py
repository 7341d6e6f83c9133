"""Digest files on storage, each content once per process: 0.8 s per GB where the CPU has instructions for SHA-256.

A content is known by size, time of change and inode of its file, so that a file that is replaced or written to is
digested again. Threads may call everything here.
"""

from __future__ import annotations

import hashlib
import io
import threading

from trainables.storage.store import Facts, Store

ROW_DIGEST_BYTES = hashlib.sha256().digest_size
"""Of one row's digest in a file of digests, which has them one after another."""

_ROWS_AT_ONCE_BYTES = 1 << 24

_digests: dict[tuple[str, Facts], str] = {}
_lock = threading.Lock()


def file_digest(store: Store, name: str) -> str:
    """Compute the SHA-256 of a file, 64 hex digits. Raises FileNotFoundError if it is not there."""
    content = store.place(name), store.facts(name)
    with _lock:
        known = _digests.get(content)
    if known is None:
        with store.open(name) as file:
            known = hashlib.file_digest(file, "sha256").hexdigest()
        with _lock:
            _digests[content] = known
    return known


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
