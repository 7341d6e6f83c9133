"""Register a run on storage while it lasts, and end it when somebody asks for that there.

A request is acted upon as SIGTERM is, whatever the run is at, because there is one way to leave a run in order. Trials
that are running first get a little time to reach their next checkpoint, so that less of their work is lost.
"""

from __future__ import annotations

import logging
import os
import secrets
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from orchestrator.running.leases import RENEW_EVERY_S
from orchestrator.running.periodic import PeriodicCall, called_periodically
from orchestrator.state.runs import forget_old_runs, now_ms, this_user
from orchestrator.state.stored_nodes import checkpointed_steps
from trainables.storage import layout
from trainables.storage.lease import Lease
from trainables.storage.owner import Owner
from trainables.storage.record_files import read_or_redo, write
from trainables.storage.records import Attempt, RunForecast, RunRecord, RunUsage, StopRequest
from trainables.storage.store import Store

LOOK_EVERY_S = 2.0
"""Seconds between two looks for a request to end."""

logger = logging.getLogger(__name__)


def end_this_process() -> None:
    """Have this process end as on SIGTERM."""
    os.kill(os.getpid(), signal.SIGTERM)


class RegisteredRun:
    """A run that is known on storage, and the request to end it, if one has come.

    Args:
        store: the storage.
        record: of the run, as it was written.
        study: its name.
        tell: shows a sentence to people.
        end: ends the run; called once, in the thread that looks.
        clock: seconds, from any beginning.
    """

    def __init__(
        self,
        store: Store,
        study: str,
        record: RunRecord,
        tell: Callable[[str], None],
        end: Callable[[], None] = end_this_process,
        clock: Callable[[], float] = time.monotonic,
    ):
        self._store, self._study, self.record = store, study, record
        self._tell, self._end, self._clock = tell, end, clock
        self.request: StopRequest | None = None
        """Of whoever wants this run to end."""
        self._asked_at = 0.0
        self._began: dict[str, tuple[str, int | None]] = {}
        self._has_ended = False

    def look(self) -> None:
        """Look for a request to end, and end the run once its running trials have a new checkpoint or no time left."""
        request = self.read_request()
        if request is None or self._has_ended:
            return
        if self.request is None:
            self._asked_at, self._began = self._clock(), self._places()
            wait = f"; running trials have {request.within_s:g} s to reach a checkpoint" if self._began else ""
            self._tell(f"asked to stop by {request.by}{wait}")
        self.request = request
        places = self._places()
        is_waiting = any(places.get(trial) == place for trial, place in self._began.items())
        if not is_waiting or self._clock() - self._asked_at >= request.within_s:
            self._has_ended = True
            self._end()

    def forecast(self, forecast: RunForecast) -> None:
        """Write down what this run is expected to take."""
        self._write(replace(self.record, forecast=forecast))

    def used(self, usage: RunUsage) -> None:
        """Write down what the trials of this run have taken."""
        self._write(replace(self.record, usage=usage))

    def ended(self, ending: str) -> None:
        """Write down that this run is over, and how it ended."""
        self._write(replace(self.record, ended=now_ms(), ending=ending))

    def _write(self, record: RunRecord) -> None:
        """Replace the record on storage; one that cannot be written is none of the run's troubles."""
        self.record = record
        try:
            write(self._store, layout.run_record(self._study, record.nonce), record)
        except OSError as error:
            logger.warning("the record of this run was not written: %s", error)

    def read_request(self) -> StopRequest | None:
        """Read the request to end this run; None if there is none."""
        return read_or_redo(self._store, layout.stop_request(self._study, self.record.nonce), StopRequest)

    def _places(self) -> dict[str, tuple[str, int | None]]:
        """Map the trials that this process has in training to their stage, and the steps of its newest checkpoint."""
        prefix, here = f"{layout.trial_leases(self._study)}/", Owner.here()
        places = {}
        for name in self._store.leases():
            if name.startswith(prefix) and self._store.lease_owner(name) == here:
                trial = name.removeprefix(prefix)
                attempt = read_or_redo(self._store, layout.trial_task(self._study, trial), Attempt)
                keys = () if attempt is None else (stage.key for stage in attempt.stages)
                stage = next((key for key in keys if not self._store.exists(layout.stage_result(key))), None)
                if stage is not None:
                    places[trial] = (stage, checkpointed_steps(self._store, stage))
        return places


@contextmanager
def registered(store: Store, study: str, command: str, tell: Callable[[str], None]) -> Iterator[RegisteredRun]:
    """Register this process as a run of a study while the block runs.

    Args:
        store: the storage.
        study: its name.
        command: what was typed, for people.
        tell: shows a sentence to people.
    """
    owner, nonce = Owner.here(), secrets.token_hex(8)
    record = RunRecord(nonce, owner.host, owner.pid, this_user(), now_ms(), command)
    lease = store.lease(layout.run_lease(study, nonce), owner)
    assert lease is not None, "a nonce is new with every run"
    write(store, layout.run_record(study, nonce), record)
    run, ending = RegisteredRun(store, study, record, tell), ""
    calls = [PeriodicCall(LOOK_EVERY_S, run.look), PeriodicCall(RENEW_EVERY_S, lambda: _renew(lease))]
    try:
        with called_periodically(calls):
            yield run
        ending = "ended"
    except BaseException as error:
        ending = type(error).__name__
        raise
    finally:
        run.request = run.request or run.read_request()
        if run.request is not None:
            ending = f"stopped by {run.request.by}"
        run.ended(ending)
        try:
            forget_old_runs(store, study)
        except OSError as error:
            logger.warning("records of old runs were not removed: %s", error)
        lease.release()


def _renew(lease: Lease) -> None:
    if not lease.renew():
        logger.warning("the lease of this run was lost: `ablate stop` and `ablate studies` do not see it any more")
