"""Set what CUDA's libraries and torch's allocator of GPU memory read once, before torch is imported."""

from __future__ import annotations

from collections.abc import Collection

ALLOCATOR_SETTINGS = ("PYTORCH_ALLOC_CONF", "PYTORCH_CUDA_ALLOC_CONF")
"""Variables that set the allocator: its name of today, and an older one that it still reads."""

WORKSPACE_SETTING = "CUBLAS_WORKSPACE_CONFIG"
"""Variable of the memory that cuBLAS computes in. Each handle reads it when it is made, so it does nothing in a process
that has multiplied matrices."""

REPEATABLE_WORKSPACE = ":4096:8"
"""Eight buffers of 4 MiB: one of the two values with which cuBLAS adds in one order where several streams compute
(CUDA's documentation of cuBLAS, results reproducibility)."""


def allocator_settings(inherited: Collection[str]) -> dict[str, str]:
    """Return the variables of the allocator: segments that grow, as lengths change with every micro-batch.

    Args:
        inherited: names of the variables that a process has; the user's own settings stay.
    """
    if any(name in inherited for name in ALLOCATOR_SETTINGS):
        return {}
    return {"PYTORCH_CUDA_ALLOC_CONF": "expandable_segments:True"}


def workspace_setting(inherited: Collection[str]) -> dict[str, str]:
    """Return the variable of cuBLAS's workspace. All workers on GPUs have it, as they serve one trial after another.

    Args:
        inherited: names of the variables that a process has; the user's own setting stays.
    """
    return {} if WORKSPACE_SETTING in inherited else {WORKSPACE_SETTING: REPEATABLE_WORKSPACE}
