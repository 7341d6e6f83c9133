"""Report the progress of a long reading in lines: for logs and terminals without bars."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from search_spaces.quantities import duration

_EVERY_S = 10.0


class Progress(Protocol):
    """Receiver of the progress of a reading."""

    def at(self, phase: str, done: int, total: int | None) -> None:
        """Receive how much was read.

        Args:
            phase: what is counted: `records` or `images`.
            done: how many were read.
            total: how many there are; None while unknown.
        """
        ...


class Pace:
    """Line every ten seconds: how much of a source was read, how fast, and how long the rest will take.

    Args:
        name: the source's.
        report: receives the lines.
        clock: seconds, from any beginning.
    """

    def __init__(self, name: str, report: Callable[[str], None], clock: Callable[[], float] = time.monotonic):
        self.name = name
        self._report, self._clock = report, clock
        self._phase = ""
        self._began = self._reported = 0.0

    def at(self, phase: str, done: int, total: int | None) -> None:
        """Report the progress (`Progress.at`) if the last line is ten seconds old; a new phase starts a new clock."""
        now = self._clock()
        if phase != self._phase:
            self._phase, self._began, self._reported = phase, now, now
        if now - self._reported < _EVERY_S:
            return
        self._reported = now
        rate = done / max(now - self._began, 1e-9)
        of = f" of {total:,}" if total is not None else ""
        left = f", {duration((total - done) / max(rate, 1e-9))} left" if total is not None else ""
        self._report(f"{self.name}: {done:,}{of} {phase}, {rate:,.0f}/s{left}")
