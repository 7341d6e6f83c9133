"""Let torch take kernels that add in a fixed order, where there are some, so that a stage repeats its bits on a GPU."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def deterministic_kernels(is_wanted: bool) -> Iterator[None]:
    """Take deterministic kernels within the context; what has none is computed all the same, with torch's warning.

    cuBLAS also needs a workspace that it reads from the environment before its first product; workers on GPUs have it
    (`cluster.worker_process`), and torch warns where it is missing.

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
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(was_on, warn_only=only_warned)
