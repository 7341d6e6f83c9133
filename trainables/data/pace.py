"""How far a long reading is, told in lines: for logs and terminals without bars."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from search_spaces.quantities import duration

_EVERY_S = 10.0


class Progress(Protocol):
    """Who is told how far a reading is."""

    def at(self, phase: str, done: int, total: int | None) -> None:
        """`done` of `total` (None while unknown) records or images, as `phase` says, are read."""
        ...


class Pace:
    """Says every ten seconds how much of a source was read, how fast, and how long the rest will take."""

    def __init__(self, name: str, say: Callable[[str], None], clock: Callable[[], float] = time.monotonic):
        self.name = name
        self._say, self._clock = say, clock
        self._phase = ""
        self._began = self._said = 0.0

    def at(self, phase: str, done: int, total: int | None) -> None:
        """As `Progress` says; a new phase starts a new clock."""
        now = self._clock()
        if phase != self._phase:
            self._phase, self._began, self._said = phase, now, now
        if now - self._said < _EVERY_S:
            return
        self._said = now
        rate = done / max(now - self._began, 1e-9)
        of = f" of {total:,}" if total is not None else ""
        left = f", {duration((total - done) / max(rate, 1e-9))} left" if total is not None else ""
        self._say(f"{self.name}: {done:,}{of} {phase}, {rate:,.0f}/s{left}")
