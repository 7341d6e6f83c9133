"""Threads that look after a run at regular times, while Tune has the main thread."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Attendant:
    """Something to do every so many seconds."""

    every_s: float
    look: Callable[[], None]

    def attend(self, over: threading.Event) -> None:
        """Look until it is over. A look that fails (storage or a node is away) is logged; the next one comes."""
        while not over.wait(self.every_s):
            try:
                self.look()
            except Exception:
                logger.exception("looking after the run failed")


@contextmanager
def attended(attendants: Sequence[Attendant]) -> Iterator[None]:
    """Run each attendant in a thread of its own while the block runs."""
    over = threading.Event()
    threads = [threading.Thread(target=attendant.attend, args=(over,), daemon=True) for attendant in attendants]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join(timeout=1)
