"""Keep and choose the step checkpoints of a stage: folders that all workers write to, renamed when they are whole."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import torch.distributed as dist

from search_spaces.resource_spec import ResourceSpec
from search_spaces.resources import KEPT_CHECKPOINTS
from trainables.storage import layout
from trainables.storage.record_files import read_or_redo, write
from trainables.storage.records import CheckpointManifest
from trainables.storage.store import ASIDE, Store
from trainables.task import Context

_MANIFEST = "manifest.json"

logger = logging.getLogger(__name__)


class StepCheckpoints:
    """The checkpoints of one stage. All methods are called by all ranks together."""

    def __init__(self, store: Store, key: str, resources: ResourceSpec, context: Context):
        self._store, self._root, self._context = store, layout.checkpoints(key), context
        self._shape = group_shape(resources)

    def save(self, step: int, write_state: Callable[[Path], None]) -> None:
        """Let every rank write into one folder, which gets its final name when all are done; older ones go.

        Args:
            step: optimizer steps that are done.
            write_state: writes this rank's part into a folder.
        """
        aside, final = f"{self._root}/writing{ASIDE}", f"{self._root}/{step:08d}"
        if self._context.rank == 0:
            self._store.remove(aside)
        _barrier()
        with self._store.working_folder(aside) as folder:
            write_state(folder)
        _barrier()
        if self._context.rank == 0:
            sizes = {name.removeprefix(f"{aside}/"): self._store.facts(name).size for name in self._store.list(aside)}
            write(self._store, f"{aside}/{_MANIFEST}", CheckpointManifest(self._shape, sizes))
            self._store.move(aside, final)
            for old in self._store.folders(self._root)[:-KEPT_CHECKPOINTS]:
                self._store.remove(f"{self._root}/{old}")
        _barrier()

    def newest(self) -> Path | None:
        """Return the folder of the newest checkpoint that is whole and that this shape of group can read.

        Those that are passed over are removed, with a warning that names them: training on reaches their steps again.
        """
        box = [self._newest_step() if self._context.rank == 0 else None]
        if self._context.world > 1:
            dist.broadcast_object_list(box, src=0)
        return None if box[0] is None else self._store.reading(f"{self._root}/{box[0]}")

    def _newest_step(self) -> str | None:
        for step in reversed(self._store.folders(self._root)):
            folder = f"{self._root}/{step}"
            problem = self._problem(folder)
            if problem is None:
                return step
            logger.warning(
                "%s: %s; an earlier one is used, or the stage starts anew", self._store.place(folder), problem
            )
            self._store.remove(folder)
        return None

    def _problem(self, folder: str) -> str | None:
        """Say why a checkpoint cannot be gone on from; None if it can."""
        manifest = read_or_redo(self._store, f"{folder}/{_MANIFEST}", CheckpointManifest)
        if manifest is None:
            return f"a step checkpoint must have a whole {_MANIFEST}, but has none"
        if manifest.shape != self._shape:
            return f"was written by {manifest.shape}, which {self._shape} cannot read"
        for name, size in manifest.files.items():
            if not self._store.exists(f"{folder}/{name}"):
                return f"must have the file {name}, but it is not there"
            there = self._store.facts(f"{folder}/{name}").size
            if there != size:
                return f"the file {name} must have {size:,} bytes, as it was written, but has {there:,}"
        return None


def group_shape(resources: ResourceSpec) -> str:
    """Say what must be equal for DeepSpeed to read a checkpoint."""
    return f"workers {resources.workers}, ZeRO {resources.zero}, offload {resources.offload}"


def _barrier() -> None:
    if dist.is_initialized() and dist.get_world_size() > 1:
        dist.barrier()
