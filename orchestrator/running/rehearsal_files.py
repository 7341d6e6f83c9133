"""Give rehearsals a scratch storage of their own, and keep on the real one what they have shown and learned."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from orchestrator.running.rehearsals import PlannedRehearsal, Rehearsals
from search_spaces.identity import fingerprint
from trainables.storage import layout
from trainables.storage.record_files import read_or_redo, write
from trainables.storage.records import Failure, Rehearsal, SmallerBatch
from trainables.storage.store import LocalStore, Store
from trainables.storage.work_folders import is_abandoned, write_owner
from trainables.task import TrialTask

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class RehearsalFiles:
    """Where rehearsals read and write."""

    study: str
    store: Store
    """The real storage: for what is kept of them."""
    folder: str
    """Of the scratch storage, on the real one."""
    scratch: LocalStore
    """For everything else."""
    _shared: dict[str, SmallerBatch] = field(default_factory=dict)
    """Name of what both storages know of how much fits at once -> its content, as this run last copied it."""

    def task(self, planned: PlannedRehearsal, task: TrialTask) -> TrialTask:
        """Turn the task of a trial into that of its rehearsal.

        Its stages get keys of their own: shapes that share a stage are rehearsed at one time, each by itself.
        """
        stages = tuple(
            stage.model_copy(update={"key": fingerprint({"rehearsal": planned.shape, "stage": stage.key})})
            for stage in task.stages
        )
        own = {"id": planned.shape, "storage": str(self.scratch.root), "rehearses_with": task.storage, "stages": stages}
        return task.model_copy(update=own)

    def learn(self) -> None:
        """Take over how much fits at once, as the study has learned it."""
        self._copy_smaller_batches(self.store, self.scratch)

    def teach(self) -> None:
        """Hand on what rehearsals have learned of how much fits at once, and nothing that they were taught."""
        self._copy_smaller_batches(self.scratch, self.store)

    def _copy_smaller_batches(self, source: Store, target: Store) -> None:
        for name in source.list(layout.smaller_batches(self.study)):
            learned = read_or_redo(source, name, SmallerBatch)
            if learned is not None and learned != self._shared.get(name):
                write(target, name, learned)
                self._shared[name] = learned

    def keep_record(self, planned: PlannedRehearsal) -> Rehearsal | None:
        """Keep the record of a rehearsal that went well, and what it has learned, and nothing else of it."""
        record = None
        try:
            record = read_or_redo(self.scratch, layout.rehearsal(planned.shape), Rehearsal)
            self.teach()
            if record is not None:
                write(self.store, layout.rehearsal(planned.proof), record)
            self.store.remove(layout.failed_rehearsal(self.study, planned.shape))
        except OSError as error:  # then it is rehearsed again by the next run
            logger.warning("the rehearsal of %s was not recorded: %s", planned.arm, error)
        return record

    def keep_logs(self, planned: PlannedRehearsal, failure: Failure) -> Failure:
        """Keep the logs of a rehearsal that failed, and return the failure with the one that tells most."""
        for rank in range(planned.request.workers):
            log = layout.worker_log(self.study, planned.shape, rank)
            with suppress(OSError):  # not there, or the storage is away
                self.store.put(layout.rehearsal_log(self.study, planned.shape, rank), self.scratch.get(log))
        return replace(failure, log=layout.rehearsal_log(self.study, planned.shape, failure.rank or 0))

    def remove_stages(self, planned: PlannedRehearsal) -> None:
        """Remove the weights and checkpoints of a rehearsal that has ended; what cannot be is removed at the end."""
        with suppress(OSError):
            task = read_or_redo(self.scratch, layout.trial_task(self.study, planned.shape), TrialTask)
            for stage in () if task is None else task.stages:
                self.scratch.remove(layout.stage_folder(stage.key))

    def remove(self) -> None:
        """Remove the scratch storage; the next run does if the storage is away."""
        with suppress(OSError):
            self.store.remove(self.folder)


@contextmanager
def rehearsal_files(study: str, store: Store, rehearsals: Rehearsals) -> Iterator[RehearsalFiles]:
    """Provide a scratch storage below the real one, and so on its disk; it is removed at the end.

    Those of processes that were killed are removed, too. Nothing is made where nothing is rehearsed.

    Args:
        study: its name.
        store: the real storage.
        rehearsals: of the run.
    """
    folder = layout.rehearsal_scratch(secrets.token_hex(6))
    files = RehearsalFiles(study, store, folder, LocalStore(Path(store.place(folder))))
    if not rehearsals.planned:
        yield files
        return
    _remove_abandoned(store)
    write_owner(store, folder)
    try:
        files.learn()
        yield files
    finally:
        files.remove()


def _remove_abandoned(store: Store) -> None:
    for name in store.folders(layout.SCRATCH):
        folder = layout.scratch(name)
        if name.startswith(layout.REHEARSAL) and is_abandoned(store, folder):
            store.remove(folder)
