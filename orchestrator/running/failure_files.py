"""Number the failures of a trial's attempts on storage, and write and take back that of a trial whose shape failed."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import PurePosixPath

from trainables.storage import layout
from trainables.storage.owner import Owner
from trainables.storage.record_files import read_or_redo, write
from trainables.storage.records import Failure
from trainables.storage.store import Store

logger = logging.getLogger(__name__)


def next_number(store: Store, study: str, trial: str) -> int:
    """Number an attempt behind all earlier ones, also where some of their failures were removed."""
    stems = (PurePosixPath(name).stem for name in store.list(layout.trial_attempts(study, trial)))
    return max((int(stem) for stem in stems if stem.isdecimal()), default=0) + 1


def put_failure_aside(store: Store, study: str, trial: str) -> None:
    """Move the failure of a trial beside those of its earlier attempts, if it has one."""
    failure = layout.trial_failure(study, trial)
    if store.exists(failure):
        store.move(failure, layout.trial_attempt(study, trial, next_number(store, study, trial)))


def write_blocked(store: Store, study: str, trial: str, rehearsal: Failure, *, keeps_own: bool) -> Failure:
    """Write that a trial is not started, unless another run works on it.

    Args:
        store: the storage.
        study: name of the study.
        trial: id of the trial.
        rehearsal: failure of the rehearsal of its shape.
        keeps_own: whether a failure of the trial itself stays in its place, as this run would not have started it.

    Returns:
        The failure of the trial, written or not.
    """
    message = f"not started, as the rehearsal of its shape failed: {rehearsal.message}"
    failure = replace(rehearsal, trial=trial, shape=rehearsal.trial, message=message, during=None, remedy="")
    try:
        with _leased(store, study, trial) as is_ours:
            if is_ours and not (keeps_own and _has_failed(store, study, trial, by_rehearsal=False)):
                put_failure_aside(store, study, trial)
                failure = replace(failure, attempt=next_number(store, study, trial))
                write(store, layout.trial_failure(study, trial), failure)
    except OSError as error:
        logger.warning("%s: its failure (%s: %s) was not recorded: %s", trial, failure.kind, message, error)
    return failure


def put_blocked_aside(store: Store, study: str, trial: str) -> None:
    """Put the failure aside that a rehearsal has left to a trial, unless another run works on the trial."""
    try:
        if not _has_failed(store, study, trial, by_rehearsal=True):
            return
        with _leased(store, study, trial) as is_ours:
            if is_ours and _has_failed(store, study, trial, by_rehearsal=True):
                put_failure_aside(store, study, trial)
    except OSError as error:  # it is put aside when the trial starts
        logger.warning("%s: its failure stays where it is: %s", trial, error)


def _has_failed(store: Store, study: str, trial: str, *, by_rehearsal: bool) -> bool:
    """Tell whether a trial has a failure of its own, or one that the rehearsal of its shape has left to it."""
    failure = read_or_redo(store, layout.trial_failure(study, trial), Failure)
    return failure is not None and (failure.shape is not None) == by_rehearsal


@contextmanager
def _leased(store: Store, study: str, trial: str) -> Iterator[bool]:
    """Hold the lease on a trial while the block runs. Yields whether it could be had."""
    lease = store.lease(layout.trial_lease(study, trial), Owner.here())
    try:
        yield lease is not None
    finally:
        if lease is not None:
            lease.release()
