"""Hide a package from what is imported meanwhile."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def absent_module(name: str) -> Iterator[None]:
    """Make every import of a package fail as if it were not installed, while the block runs."""
    missing = object()
    before = sys.modules.get(name, missing)
    sys.modules[name] = None  # type: ignore[assignment]  # this is how Python marks it
    try:
        yield
    finally:
        if before is missing:
            del sys.modules[name]
        else:
            sys.modules[name] = before  # type: ignore[assignment]
