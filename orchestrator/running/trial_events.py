"""Events of the trials of a run, for who shows them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from orchestrator.running.retry_policy import AfterStorage, Again, GivenUp
from search_spaces.outcomes import AwaitsRoom, Progress, Started
from trainables.storage.records import Failure


@dataclass(frozen=True)
class Dispatched:
    """The trial has been handed to Tune, which starts it as soon as its workers can be placed."""


@dataclass(frozen=True)
class AttemptFailed:
    """The attempt ended before its time; of kind `killed` if a signal stopped the run."""

    failure: Failure
    follows: Again | AfterStorage | GivenUp
    """What is done about it."""


@dataclass(frozen=True)
class Blocked:
    """The trial is not started, as the rehearsal of its shape has failed."""

    failure: Failure


@dataclass(frozen=True)
class TrialEvent:
    """An event of a trial, for a live view."""

    trial: str
    at: float
    """Seconds since the epoch."""
    event: Dispatched | Started | AwaitsRoom | Progress | AttemptFailed | Blocked


def told_to_each(*receivers: Callable[[TrialEvent], None]) -> Callable[[TrialEvent], None]:
    """Return a function that tells an event to several receivers, one after the other."""

    def tell(event: TrialEvent) -> None:
        for receiver in receivers:
            receiver(event)

    return tell
