"""Seed the initialisation of modules by a seed and a name, independently of what was built before."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def seeded(*key: int | str) -> Iterator[None]:
    """Run a block with torch's random state derived from `key`, and restore the old state after it."""
    digest = hashlib.sha256(repr(key).encode()).digest()
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        torch.manual_seed(int.from_bytes(digest[:8], "little") >> 1)
        yield
