"""End a command with a sentence when a signal comes, in whatever it is doing, or when no space is left."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType
from typing import NoReturn, Protocol

from orchestrator.exit_codes import EXIT_WITHOUT_RAY


class StoppedError(BaseException):
    """A signal has come. No Exception, so that nothing on the way takes it for a failure of its own; and no
    KeyboardInterrupt, which the library of the command line answers with "Aborted" and the exit code 1."""

    def __init__(self, number: int, by: str | None = None):
        super().__init__(signal.Signals(number).name if by is None else by)
        self.number = number
        """Of the signal."""
        self.by = by
        """Who asked for it with `ablate stop`; None for a signal from elsewhere."""


def stop_with_a_sentence() -> None:
    """Raise StoppedError in the main thread when SIGINT or SIGTERM comes; a second one ends the process at once."""

    def stop(number: int, frame: FrameType | None) -> None:
        for each in (signal.SIGINT, signal.SIGTERM):
            signal.signal(each, signal.SIG_DFL)
        raise StoppedError(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)


class Closable(Protocol):
    """What is shown on the terminal, and can be closed from another thread."""

    def close(self) -> None: ...


def end_without_ray(view: Closable, part: str) -> NoReturn:
    """End the process because a part of Ray is gone: what runs in it can neither be finished nor left in order.

    Leases of a process that is gone are taken over at once, and its runs get their true status from the next command.
    """
    view.close()
    print(f"ablate: {part} is gone: killed, out of memory, or crashed; the same command goes on", file=sys.stderr)
    sys.stderr.flush()
    sys.stdout.flush()
    os._exit(EXIT_WITHOUT_RAY)


def storage_full(reason: str) -> str:
    """Say that no space is left, and what to do; `reason`: what the file system said."""
    return f"no space is left: {reason}\nFree some space, or give another --storage; the same command goes on."


def storage_gave_out(trouble: str) -> str:
    """Say that a run has stopped waiting for its storage, and what to do; `trouble`: what was wrong with it."""
    return f"stopped before the end: {trouble}\nOnce that is mended, the same command goes on."
