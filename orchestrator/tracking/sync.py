"""Send everything that storage holds of a study to a tracking server."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.tracking.notices import Notice
from orchestrator.tracking.replay import Replay
from orchestrator.tracking.tracker import Tracker, TrackerAwayError, TrackerDeniedError, TrackerRefusedError
from search_spaces.errors import InputError
from search_spaces.plan import Plan
from search_spaces.study import Study
from trainables.storage.store import Store

DENIED = (
    "Repeating it does not help: look at the server's permissions (MLFLOW_TRACKING_USERNAME and"
    " MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN, are what this client sends) and at its database."
    " Storage keeps everything until it is sent."
)
"""The way out where a server takes nothing from this client."""


@dataclass(frozen=True)
class Sent:
    """What `sync_study` has come to."""

    points: int
    """Number of points sent."""
    missing: str | None
    """What did not arrive, with counts, and why; None if everything did."""


def sync_study(study: Study, plan: Plan, store: Store, tracker: Tracker, notice: Notice = lambda text: None) -> Sent:
    """Send everything that storage holds of a study (`ablate sync`).

    What the server has already stays as it is.

    Args:
        study: the study, with its claims.
        plan: its plan.
        store: the storage.
        tracker: the server.
        notice: shows a message about trouble.

    Raises:
        InputError: the server has stopped answering, or takes nothing from this client.
    """
    replay = Replay(tracker, store, study, plan, notice, from_start=True)
    try:
        replay.catch_up()
        replay.close(None)
    except TrackerAwayError as error:
        law = f"the tracking server must answer until everything is sent, but it says: {error}"
        raise InputError(law, key=plan.study, way_out="Run the same command again: nothing is doubled.") from error
    except (TrackerDeniedError, TrackerRefusedError) as error:
        law = f"the tracking server must take what is sent, but it says: {error}"
        raise InputError(law, key=plan.study, way_out=DENIED) from error
    return Sent(replay.points, replay.unsent.sentence())
