"""Tell a file system without space from other errors, whatever class a library raises it as, and say what is wrong."""

from __future__ import annotations

import errno

from search_spaces.out_of_memory import is_full_shared_memory

FULL = (errno.ENOSPC, errno.EDQUOT)
"""Errors of a file system without space, or without space for this user."""

FULL_TEXTS = (
    "No space left on device",
    "Disk quota exceeded",
    "(os error 28)",
    "(os error 122)",
    "database or disk is full",
)
"""How libraries that have no error numbers (Arrow, safetensors, SQLite) say the same."""


def disk_trouble(error: OSError, place: str) -> str:
    """Say in half a sentence why a place cannot be written to; `place`: for people."""
    reason = error.strerror or type(error).__name__
    if is_full(error):
        return f"no space is left at {place} ({reason})"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"{place} cannot be written to ({reason})"
    return f"{place} is away ({reason})"


def is_full(error: BaseException) -> bool:
    """Check whether an error, or what caused it, is that of a file system without space."""
    seen: BaseException | None = error
    while seen is not None:
        if is_full_shared_memory(seen):
            return False
        if isinstance(seen, OSError) and seen.errno in FULL:
            return True
        if any(text in str(seen) for text in FULL_TEXTS):
            return True
        seen = seen.__cause__ or seen.__context__
    return False
