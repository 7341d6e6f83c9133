"""Spools and endings of the trials of a small plan."""

from __future__ import annotations

import time

from tests.support.small_plans import small_plan
from tests.support.small_records import failure, trial_result
from trainables.storage import layout
from trainables.storage.record_files import write
from trainables.storage.spool import Spool
from trainables.storage.store import LocalStore

PLAN = small_plan()
TRIAL = "r64-s7"


def spool_of(store: LocalStore, trial: str = TRIAL) -> Spool:
    """Open the spool of a trial of the small plan."""
    return Spool(store, layout.spool(PLAN.study, trial))


def write_steps(spool: Spool, steps: range) -> None:
    """Write the metrics of these steps to a spool."""
    for step in steps:
        spool.write(step=step, metrics={"train/loss": 1 / (step + 1), "train/lr": 0.1})


def fail(store: LocalStore, trial: str, kind: str, ts: int) -> None:
    """Write that a trial failed."""
    write(store, layout.trial_failure(PLAN.study, trial), failure(trial, kind=kind, log="rank-0.log", ts=ts))


def succeed(store: LocalStore, trial: str) -> None:
    """Write that a trial finished."""
    write(store, layout.trial_result(PLAN.study, trial), trial_result(trial))


def now_ms() -> int:
    """Read the clock in milliseconds, as spools do."""
    return int(time.time() * 1000)
