"""Measure how long the trials of a run take, from the first hand-out to the end of the last."""

from __future__ import annotations

from orchestrator.running.trial_events import AttemptFailed, Dispatched, TrialEvent
from search_spaces.outcomes import TrialDone


class RunClock:
    """Time between the first hand-out of a trial and the last end of one, by their events."""

    def __init__(self) -> None:
        self._began: float | None = None
        self._ended: float | None = None

    def show(self, event: TrialEvent) -> None:
        """Note the time of an event that begins or ends an attempt."""
        match event.event:
            case Dispatched():
                self._began = event.at if self._began is None else self._began
            case TrialDone() | AttemptFailed():
                self._ended = event.at
            case _:
                pass

    @property
    def wall_s(self) -> float:
        """Seconds until the last end; 0 where no attempt has ended."""
        return 0.0 if self._began is None or self._ended is None else self._ended - self._began
