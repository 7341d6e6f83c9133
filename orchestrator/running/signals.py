"""SIGINT and SIGTERM during a run: noted, and acted upon where the run can be left."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class InterruptedRunError(BaseException):
    """Leaves Tune from within. Not an Exception: Tune would wait for its actors to end by themselves."""

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

    def note(self, number: int) -> None:
        self._numbers.append(number)

    def raise_if_any(self) -> None:
        """Raise InterruptedRunError if a signal has come."""
        if self._numbers:
            raise InterruptedRunError(self._numbers[0])


@contextmanager
def noted_signals() -> Iterator[ReceivedSignals]:
    """Note SIGINT and SIGTERM while the block runs, instead of dying of them; a second one has its usual effect.

    Outside of the main thread nothing can be noted, and nothing is.
    """
    received = ReceivedSignals()
    if threading.current_thread() is not threading.main_thread():
        yield received
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def note(number: int, frame: FrameType | None) -> None:
        received.note(number)
        for each in before:
            signal.signal(each, signal.SIG_DFL)

    for number in before:
        signal.signal(number, note)
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
