"""Send everything that storage holds of a study to a tracking server."""

from __future__ import annotations

from orchestrator.tracking.notices import Notice
from orchestrator.tracking.replay import Replay
from orchestrator.tracking.tracker import Tracker, TrackerAwayError
from search_spaces.errors import InputError
from search_spaces.plan import Plan
from search_spaces.study import Study
from trainables.storage.store import Store


def sync_study(study: Study, plan: Plan, store: Store, tracker: Tracker, notice: Notice = lambda text: None) -> int:
    """Send everything that storage holds of a study (`ablate sync`), and return the number of points sent.

    What the server has already stays as it is.

    Args:
        study: the study, with its claims.
        plan: its plan.
        store: the storage.
        tracker: the server.
        notice: shows a message about trouble.

    Raises:
        InputError: the server has stopped answering.
    """
    replay = Replay(tracker, store, study, plan, notice, from_start=True)
    try:
        replay.catch_up()
        replay.close(None)
    except TrackerAwayError as error:
        law = f"the tracking server must answer until everything is sent, but it says: {error}"
        raise InputError(law, key=plan.study, way_out="Run the same command again: nothing is doubled.") from error
    return replay.points
