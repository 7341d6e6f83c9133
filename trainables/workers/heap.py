"""Let the C library keep freed memory of a worker on a CPU for its next tensors."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Mapping

MB = 1024 * 1024
SETTINGS: Mapping[str, tuple[int, int]] = {
    "MALLOC_TRIM_THRESHOLD_": (-1, 256 * MB),
    "MALLOC_TOP_PAD_": (-2, 64 * MB),
    "MALLOC_MMAP_THRESHOLD_": (-3, 32 * MB),
}
"""Variable of glibc -> number of that setting in `mallopt` (malloc.h), and its value. 32 MB is the most that it takes
for the last; larger tensors are given back at once."""


def keep_freed_memory() -> None:
    """Set how much freed memory the C library keeps: 256 MB, where it would give most back after each batch.

    The kernel clears every page that it gives out again, which was a seventh to a quarter of the time of answering
    questions. Nothing is set where the user has set one of glibc's variables, or where the library is another one.
    """
    if any(name in os.environ for name in SETTINGS):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        for parameter, value in SETTINGS.values():
            mallopt(parameter, value)
