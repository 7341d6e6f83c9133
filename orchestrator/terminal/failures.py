"""Say in a terminal what is done about a failure."""

from __future__ import annotations

from typing import assert_never

from orchestrator.running.retry_policy import AfterStorage, Again
from search_spaces.quantities import duration
from trainables.storage.records import Failure


def what_follows(failure: Failure, follows: Again | AfterStorage) -> str:
    """Say what is done about a failure that is followed by another attempt."""
    match follows:
        case Again():
            when = f"in {duration(follows.after_s)}" if follows.after_s else "at once"
            elsewhere = ", on another machine if there is one" if follows.avoided else ""
            if failure.remedy:
                return f"it is tried again {when} with {failure.remedy}"
            tries = f"({follows.number} of {follows.most} tries)" if follows.most else "(this does not count)"
            return f"it goes on from its last checkpoint {when}{elsewhere} {tries}"
        case AfterStorage():
            return "by the storage: it goes on once that can be written to, and this does not count"
        case _:
            assert_never(follows)
