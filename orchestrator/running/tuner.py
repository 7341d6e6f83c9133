"""Runs the trials of a study with Ray Tune on the cluster that is connected, and tells what became of each.

What happened is told by files on storage. Tune is kept quiet: what it and Ray say goes to a log in the study's folder.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from io import BufferedWriter, TextIOWrapper
from pathlib import Path

import ray

from cluster.fit import Room, rooms
from cluster.process_state import log_to, set_environment
from orchestrator.running.attempts import Attempts, Outcomes, RunSettings, TrialEvent
from orchestrator.running.attendants import Attendant, attended
from orchestrator.running.hand_out import LOOK_EVERY_S, HandOut
from orchestrator.running.run import Run
from orchestrator.running.schedule import Work, shapes
from orchestrator.running.signals import InterruptedRunError, ReceivedSignals, noted_signals
from orchestrator.running.tune_hooks import TUNE_ENVIRONMENT, fit
from search_spaces.plan import Node
from trainables.storage import layout
from trainables.storage.store import Store
from trainables.task import TrialTask

WATCH_EVERY_S = 0.5
"""How often it is asked which processes have gone silent."""


def cluster_rooms() -> tuple[Room, ...]:
    """Ask the Ray cluster that is connected for the room of its nodes."""
    return rooms(ray.nodes())


def run_trials(
    work: Sequence[Work],
    nodes: Mapping[str, Node],
    done: Iterable[str],
    tasks: Callable[[str], TrialTask],
    store: Store,
    settings: RunSettings,
    on_event: Callable[[TrialEvent], None] = lambda event: None,
    list_rooms: Callable[[], Sequence[Room]] = cluster_rooms,
) -> Outcomes:
    """Run trials on the Ray cluster that is connected, until each is done or has failed, or a signal comes.

    Args:
        work: the trials in plan order.
        nodes: the nodes of their paths; stages and features must have keys.
        done: ids of nodes whose results are known to be on storage.
        tasks: makes the task of a trial, at the moment it is handed out.
        on_event: called in this thread; it should return quickly.
        list_rooms: asks the cluster for its nodes; what it raises at first is raised here.
    """
    if not work:
        return Outcomes()
    with _prepared_process(settings.study, store) as (received, scratch):
        attempts = Attempts(settings.study, (item.trial_id for item in work), tasks, store, on_event)
        hand_out = HandOut(
            work, nodes, done, list_rooms(), store, settings.study, attempts.prepare, settings.max_concurrent
        )
        run = Run(attempts, hand_out, received)
        attendants = [
            Attendant(LOOK_EVERY_S, hand_out.look_elsewhere),
            Attendant(settings.renew_every_s, run.renew_leases),
            Attendant(settings.renew_every_s, lambda: hand_out.resize(list_rooms())),
            Attendant(WATCH_EVERY_S, run.end_silent),
        ]
        with closing(hand_out), attended(attendants):
            try:
                fit(run, shapes(work), settings, store.place("."), str(scratch))
            except InterruptedRunError as error:
                run.interrupted(error)
    return attempts.outcomes(received.first)


@contextmanager
def _prepared_process(study: str, store: Store) -> Iterator[tuple[ReceivedSignals, Path]]:
    """Note signals, configure and quiet Tune, and give it a folder for its own files while the block runs.

    Yields the signals that come, and the folder.
    """
    scratch = layout.scratch(secrets.token_hex(4))
    with (
        TextIOWrapper(BufferedWriter(store.append(layout.driver_log(study)))) as log,
        log_to(log, ("ray", "orchestrator")),
        set_environment(TUNE_ENVIRONMENT),
        noted_signals() as received,
    ):
        try:
            with store.working_folder(scratch) as folder:
                yield received, folder
        finally:
            store.remove(scratch)
