"""Read which runs of a study there were and are, and ask those that go on to end.

A run holds a lease of its own from its beginning to its end, whatever it is at: reading data, training, reporting. Its
record says who it is. A request to end is addressed to its nonce, so that it never stops a later run.
"""

from __future__ import annotations

import getpass
import os
import socket
import time
from collections.abc import Collection
from dataclasses import dataclass

from trainables.storage import layout
from trainables.storage.abandoned_leases import release_abandoned
from trainables.storage.owner import Owner
from trainables.storage.record_files import read_or_redo, write
from trainables.storage.records import RunRecord, StopRequest
from trainables.storage.store import Store

KEPT_RECORDS = 50
"""Records of ended runs that a study keeps."""


@dataclass(frozen=True)
class LivingRun:
    """A run whose process is alive, as far as its lease tells."""

    study: str
    record: RunRecord
    owner: Owner

    @property
    def place(self) -> str:
        """Host and process, for people."""
        return place_of(self.owner)

    @property
    def sentence(self) -> str:
        """Who runs the study, where and since when: `ada@login1 on login1 (pid 7) since 2026-01-31 12:00`."""
        since = f" since {time_text(self.record.began)}" if self.record.began else ""
        return f"{self.record.user or 'somebody'} on {self.place}{since}"


def place_of(owner: Owner) -> str:
    """Write host and process of a lease's owner for people."""
    return f"{owner.host or 'an unknown host'} (pid {owner.pid})"


def time_text(ms: int) -> str:
    """Write milliseconds since the epoch as local time."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(ms / 1000))


def living_runs(store: Store, study: str, leases: Collection[str] | None = None) -> list[LivingRun]:
    """List the runs of a study that go on, the oldest first.

    Args:
        store: the storage.
        study: name of the study.
        leases: all that were taken and not released; None to list them.
    """
    prefix = f"{layout.run_leases(study)}/"
    runs = []
    for name in sorted(store.leases() if leases is None else leases):
        owner = store.lease_owner(name) if name.startswith(prefix) else None
        if owner is not None:
            nonce = name.removeprefix(prefix)
            record = read_or_redo(store, layout.run_record(study, nonce), RunRecord)
            runs.append(LivingRun(study, record or RunRecord(nonce, owner.host, owner.pid, "", 0, ""), owner))
    return sorted(runs, key=lambda run: run.record.began)


def last_run(store: Store, study: str) -> RunRecord | None:
    """Read the record of the run that began last; None if there is none."""
    nonces = store.folders(layout.runs(study))
    records = [read_or_redo(store, layout.run_record(study, nonce), RunRecord) for nonce in nonces]
    return max((record for record in records if record is not None), key=lambda record: record.began, default=None)


def compared_runs(store: Store, study: str) -> list[RunRecord]:
    """Read the records of the runs that know what they were to take and have done some trial; oldest first."""
    nonces = store.folders(layout.runs(study))
    records = [read_or_redo(store, layout.run_record(study, nonce), RunRecord) for nonce in nonces]
    known = [each for each in records if each is not None and each.forecast is not None and each.usage is not None]
    done = [each for each in known if each.usage is not None and each.usage.done]
    return sorted(done, key=lambda record: (record.began, record.nonce))


def forget_old_runs(store: Store, study: str) -> None:
    """Remove the leases of runs that were killed, and all but the newest records of runs that have ended."""
    release_abandoned(store, layout.run_leases(study))
    living = {run.record.nonce for run in living_runs(store, study)}
    ended = []
    for nonce in store.folders(layout.runs(study)):
        if nonce not in living:
            record = read_or_redo(store, layout.run_record(study, nonce), RunRecord)
            ended.append((0 if record is None else record.began, nonce))
    for _, nonce in sorted(ended)[:-KEPT_RECORDS]:
        store.remove(layout.run_folder(study, nonce))


def ask_to_stop(store: Store, run: LivingRun, *, within_s: float) -> StopRequest:
    """Ask a run to end.

    Args:
        store: the storage.
        run: that is asked.
        within_s: seconds that its running trials have to reach their next checkpoint; 0 for none.
    """
    request = StopRequest(by=this_user(), ts=now_ms(), within_s=within_s)
    write(store, layout.stop_request(run.study, run.record.nonce), request)
    return request


def this_user() -> str:
    """Name who runs this process, and where: `user@host`."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container may run as a number that has no name
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"


def now_ms() -> int:
    """Return the time in milliseconds since the epoch."""
    return int(time.time() * 1000)
