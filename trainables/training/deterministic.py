"""Let torch take kernels that add in a fixed order, where there are some, so that a stage repeats its bits on a GPU."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

_WORKSPACE = "CUBLAS_WORKSPACE_CONFIG"
"""Variable without which cuBLAS may add in another order where several streams compute (CUDA's documentation)."""


@contextmanager
def deterministic_kernels(is_wanted: bool) -> Iterator[None]:
    """Take deterministic kernels within the context; what has none is computed all the same, with torch's warning.

    Args:
        is_wanted: `resources.deterministic`; else nothing changes.
    """
    if not is_wanted:
        yield
        return
    was_on, only_warned = (
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
    )
    os.environ.setdefault(_WORKSPACE, ":4096:8")
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(was_on, warn_only=only_warned)
