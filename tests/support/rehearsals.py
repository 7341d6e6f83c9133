"""Rehearsals of tiny trials, as the driver of a run makes them."""

from __future__ import annotations

from pathlib import Path

from trainables.storage import layout
from trainables.storage.record_files import read
from trainables.storage.records import Rehearsal
from trainables.storage.store import LocalStore
from trainables.task import TrialTask

SHAPE = "shape"


def rehearsal_of(task: TrialTask, scratch: Path) -> TrialTask:
    """Make the rehearsal of a trial on a scratch storage."""
    return task.model_copy(update={"id": SHAPE, "storage": str(scratch), "rehearses_with": task.storage})


def shown_by(scratch: Path) -> Rehearsal:
    """Read what a rehearsal showed."""
    record = read(LocalStore(scratch), layout.rehearsal(SHAPE), Rehearsal)
    assert record is not None
    return record
