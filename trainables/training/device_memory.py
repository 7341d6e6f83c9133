"""Give back the memory of models that are not used any more."""

from __future__ import annotations

import gc

import torch


def release_memory() -> None:
    """Free what only reference cycles keep alive, and the memory that torch's allocators keep for later.

    Models of transformers and engines of DeepSpeed hold such cycles. Python collects them when enough small objects
    were made, which a worker may never do; CUDA's allocator does not ask for it when it runs out. Page-locked memory of
    the host is kept by an allocator of its own.
    """
    gc.collect()
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        torch.cuda.empty_cache()
        torch.accelerator.memory.empty_host_cache()
