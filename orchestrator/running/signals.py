"""Record SIGINT and SIGTERM during a run, to act upon them where the run can be left."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class InterruptedRunError(BaseException):
    """A signal ends the run from within Tune. Not an Exception: Tune would wait for its actors to end by themselves."""

    def __init__(self, number: int):
        super().__init__(signal.Signals(number).name)
        self.number = number
        """Of the signal that came."""


class ReceivedSignals:
    """The signals that have come so far."""

    def __init__(self) -> None:
        self._numbers: list[int] = []

    @property
    def first(self) -> int | None:
        """Number of the signal that came first; None if none has come."""
        return self._numbers[0] if self._numbers else None

    def record(self, number: int) -> None:
        """Add a signal that has come."""
        self._numbers.append(number)

    def raise_if_any(self) -> None:
        """Raise InterruptedRunError if a signal has come."""
        if self._numbers:
            raise InterruptedRunError(self._numbers[0])


@contextmanager
def record_signals() -> Iterator[ReceivedSignals]:
    """Record SIGINT and SIGTERM while the block runs, instead of dying of them; a second one has its usual effect.

    Outside of the main thread no signal can be recorded, and none is.
    """
    received = ReceivedSignals()
    if threading.current_thread() is not threading.main_thread():
        yield received
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def record(number: int, frame: FrameType | None) -> None:
        received.record(number)
        for each in before:
            signal.signal(each, signal.SIG_DFL)

    for number in before:
        signal.signal(number, record)
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
