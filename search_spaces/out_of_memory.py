"""Tell exhausted memory, of a device or a host, from other errors, whatever class a library raises it as."""

from __future__ import annotations

import errno
import re

TEXTS = (
    "out of memory",
    "can't allocate memory",
    "cannot allocate memory",
    "not enough memory",
    "std::bad_alloc",
    "unable to allocate shared memory",
)
"""How libraries say it, in lower case: CUDA's allocator and runtime (NCCL's and cuBLAS's calls of it too), PyTorch's
allocator on a CPU, the C library, C++, and PyTorch where `/dev/shm` is full."""

STATUSES = re.compile(r"\b(CUBLAS|CUDNN|CUSOLVER|CUSPARSE|CUFFT|CURAND)_(STATUS_)?ALLOC(ATION)?_FAILED\b")
"""CUDA's libraries name their status only."""

SHARED_MEMORY = re.compile(r"/dev/shm/|shared memory", re.IGNORECASE)
"""A file system in memory: what is full there is memory, and no storage."""

_NO_SPACE = "No space left on device"


def is_out_of_memory(error: BaseException) -> bool:
    """Check whether an error, or what caused it, is that of a device or a host without memory."""
    seen: BaseException | None = error
    while seen is not None:
        if _says_so(seen):
            return True
        seen = seen.__cause__ or seen.__context__
    return False


def is_full_shared_memory(error: BaseException) -> bool:
    """Check whether an error is that of `/dev/shm` without space, which is memory."""
    text = str(error)
    is_full = _NO_SPACE in text or (isinstance(error, OSError) and error.errno == errno.ENOSPC)
    return is_full and SHARED_MEMORY.search(text) is not None


def _says_so(error: BaseException) -> bool:
    if isinstance(error, MemoryError) or is_full_shared_memory(error):
        return True
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    if not isinstance(error, RuntimeError):  # torch's own errors are such; a text of ours may speak of memory, too
        return False
    text = str(error)
    return STATUSES.search(text) is not None or any(said in text.lower() for said in TEXTS)
