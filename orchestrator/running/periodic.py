"""Call functions at regular intervals in threads of their own, while Tune has the main thread."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class PeriodicCall:
    """A function that is called every `interval_s` seconds."""

    interval_s: float
    function: Callable[[], object]

    def repeat(self, stopped: threading.Event) -> None:
        """Call the function until stopped. A call that fails (storage or a node is away) is logged and repeated."""
        while not stopped.wait(self.interval_s):
            try:
                self.function()
            except Exception:
                logger.exception("looking after the run failed")


@contextmanager
def called_periodically(calls: Sequence[PeriodicCall]) -> Iterator[None]:
    """Repeat each call in a thread of its own while the block runs."""
    stopped = threading.Event()
    threads = [threading.Thread(target=call.repeat, args=(stopped,), daemon=True) for call in calls]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stopped.set()
        for thread in threads:
            thread.join(timeout=1)
