"""Bound the CPU time that a test may take, however busy the machine is."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest


@contextmanager
def bounded(cpu_s: float) -> Iterator[None]:
    """Fail, and say so, where a block keeps this process busy for longer than so many seconds of CPU."""

    def fail(number: int, frame: object) -> None:
        pytest.fail(f"must end soon, but was still busy after {cpu_s:g} s of CPU")

    before = signal.signal(signal.SIGPROF, fail)
    signal.setitimer(signal.ITIMER_PROF, cpu_s)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
