"""Claims about search_spaces/failure_kind.py; test_out_of_memory.py and test_full_storage.py have the texts."""

from __future__ import annotations

import errno

import pytest

from search_spaces.failure_kind import UnusableGpuError, failure_kind
from search_spaces.outcomes import FailureKind


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (MemoryError(), "memory"),
        (RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"), "memory"),
        (OSError(errno.ENOSPC, "No space left on device", "/dev/shm/x"), "memory"),
        (OSError(errno.ENOSPC, "No space left on device", "/storage/x"), "full"),
        (UnusableGpuError("GPU 3 of host-a cannot be used: Found no NVIDIA driver"), "lost"),
        (UnusableGpuError("GPU 3 of host-a cannot be used: CUDA error: device-side assert"), "lost"),
        (ValueError("record 17 is broken"), "error"),
    ],
    ids=str,
)
def test_error_has_the_kind_that_says_what_would_help(error: Exception, kind: FailureKind) -> None:
    assert failure_kind(error) == kind
