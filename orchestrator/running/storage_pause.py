"""Pause a run while storage is away or has no space, and go on by itself when it is back."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable

from search_spaces.quantities import duration

LOOK_EVERY_S = 5.0
"""Seconds between the first looks at a storage that is in trouble."""

RAREST_LOOK_S = 60.0
"""Longest time between two looks: a look may write megabytes, or list all files of a study."""

LOOK_SHARE = 0.1
"""The time between two looks is this share of the pause so far, within these bounds."""

PATIENCE_S = 1800.0
"""A run that nobody watches waits this long for its storage; then it stops, as a job that waits for ever is a loss."""

logger = logging.getLogger(__name__)


class StorageGoneError(Exception):
    """Storage is away and was waited for long enough; what it holds cannot be read. The message says what is wrong."""


class StoragePause:
    """Whether trials may start: not while storage is in trouble. Its methods may be called from any thread.

    Args:
        look: says what is wrong with storage, in words; None if it can be written to. An OSError is trouble, too.
        tell: shows a sentence to people.
        patience_s: longest pause, in seconds; after it the run is over.
        clock: seconds, from any beginning.
    """

    def __init__(
        self,
        look: Callable[[], str | None],
        tell: Callable[[str], None],
        patience_s: float = PATIENCE_S,
        clock: Callable[[], float] = time.monotonic,
    ):
        self._look, self._tell, self._patience_s, self._clock = look, tell, patience_s, clock
        self._lock = threading.Lock()
        self._since: float | None = None
        self._ended_at = -math.inf
        self._looked_at = 0.0
        self.given_up: str | None = None
        """What was wrong with storage when the patience ended; None while it has not."""

    @property
    def is_on(self) -> bool:
        """Whether nothing may start now."""
        return self._since is not None

    def was_on_since(self, moment: float) -> bool:
        """Check whether there is a pause, or has been one since a moment of the clock."""
        return self.is_on or self._ended_at >= moment

    def look(self, at: Callable[[], str | None] | None = None) -> str | None:
        """Look at storage now; begins a pause if it is in trouble. Returns what is wrong.

        Args:
            at: looks at one thing alone; None for all that the pause is about.
        """
        trouble = _trouble(at or self._look)
        if trouble is not None:
            self.begin(trouble)
        return trouble

    def begin(self, trouble: str) -> None:
        """Begin a pause, unless there is one."""
        with self._lock:
            if self._since is not None:
                return
            self._since = self._looked_at = self._clock()
            self._end_if_impatient(trouble)
        logger.warning("paused: %s", trouble)
        if self.given_up is None:
            limit = f"; after {duration(self._patience_s)} the run stops" if self._patience_s < float("inf") else ""
            self._tell(
                f"PAUSED: {trouble}. Nothing is started until it is mended, and what fails by it is not counted{limit}."
            )

    def give_up(self, trouble: str) -> None:
        """End the run's patience now."""
        self.given_up = self.given_up or trouble

    def look_again(self) -> None:
        """Look whether the trouble is over, during a pause, the longer it lasts the more rarely.

        Called by a thread every `LOOK_EVERY_S`.
        """
        if self._since is None or self.given_up is not None or not self._is_look_due(self._since):
            return
        trouble = _trouble(self._look)
        with self._lock:
            took = self._clock() - self._since
            if trouble is not None:
                self._end_if_impatient(trouble)
                return
            self._since, self._ended_at = None, self._clock()
        logger.warning("storage can be written to again")
        self._tell(f"storage can be written to again, after {duration(took)}: going on")

    def _is_look_due(self, since: float) -> bool:
        """Decide whether to look now, and note it if so; when the patience ends, in any case."""
        now = self._clock()
        is_last = now - since >= self._patience_s
        if not is_last and now - self._looked_at < min(RAREST_LOOK_S, LOOK_SHARE * (now - since)):
            return False
        self._looked_at = now
        return True

    def _end_if_impatient(self, trouble: str) -> None:
        if self._since is not None and self._clock() - self._since >= self._patience_s:
            self.given_up = trouble


def _trouble(look: Callable[[], str | None]) -> str | None:
    try:
        return look()
    except OSError as error:
        return f"storage cannot be looked at ({error})"
