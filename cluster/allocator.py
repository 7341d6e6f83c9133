"""Set torch's allocator of GPU memory, which reads its settings when torch is imported."""

from __future__ import annotations

from collections.abc import Collection

ALLOCATOR_SETTINGS = ("PYTORCH_ALLOC_CONF", "PYTORCH_CUDA_ALLOC_CONF")
"""Variables that set the allocator: its name of today, and an older one that it still reads."""


def allocator_settings(inherited: Collection[str]) -> dict[str, str]:
    """Return the variables of the allocator: segments that grow, as lengths change with every micro-batch.

    Args:
        inherited: names of the variables that a process has; the user's own settings stay.
    """
    if any(name in inherited for name in ALLOCATOR_SETTINGS):
        return {}
    return {"PYTORCH_CUDA_ALLOC_CONF": "expandable_segments:True"}
