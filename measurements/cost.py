"""Tell what a measurement has cost, and how busy the machine was: figures without that cannot be compared."""

from __future__ import annotations

import os
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def told_cost() -> Iterator[None]:
    """Print the seconds of processors and of the clock that the block took, and the load, to the standard error."""
    load, began = os.getloadavg()[0], time.monotonic()
    yield
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    cpu_s = sum(each.ru_utime + each.ru_stime for each in used)
    loads = f"load {load:.1f} before and {os.getloadavg()[0]:.1f} after"
    print(f"{cpu_s:.1f} CPU s in {time.monotonic() - began:.1f} s; {loads}, on {os.cpu_count()} cores", file=sys.stderr)
