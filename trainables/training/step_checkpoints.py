"""Keep and choose the step checkpoints of a stage: folders that all workers write to, renamed when they are whole.

A checkpoint is named by its step and by the shape of the group that has written it, so that groups of other shapes
neither read nor replace it. Whoever starts a stage goes on from the newest checkpoint of its own shape whose files have
the digests that were taken when they were written; what is passed over is named with its reason.
"""

from __future__ import annotations

import hashlib
import json
import logging
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch.distributed as dist

from search_spaces.errors import InputError
from search_spaces.resource_spec import ResourceSpec
from search_spaces.resources import KEPT_CHECKPOINTS, KEPT_OTHER_SHAPES
from trainables.package_versions import installed_versions
from trainables.storage import layout
from trainables.storage.damages import set_aside
from trainables.storage.lease import OCCUPIED
from trainables.storage.record_files import read, write
from trainables.storage.records import CheckpointManifest
from trainables.storage.store import Store
from trainables.storage.work_folders import is_abandoned, write_owner
from trainables.task import Context
from trainables.training.state_files import state_damage
from trainables.workers.process_group import from_all_ranks, from_rank_0

_FORMAT = 2
"""Of the files in a checkpoint. The first were pickles."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class GroupShape:
    """What must be equal of two groups of workers for one to read the checkpoints of the other."""

    name: str
    """Short, for names of folders: without a hyphen."""
    description: str


def group_shape(resources: ResourceSpec, context: Context) -> GroupShape:
    """Describe the shape of a group: DeepSpeed cuts its states by all of this.

    Args:
        resources: of the stage.
        context: device of the workers.
    """
    versions = ", ".join(f"{name} {version}" for name, version in installed_versions(("deepspeed",)).items())
    description = f"workers {resources.workers} on {context.device}, ZeRO {resources.zero}, offload {resources.offload}"
    if resources.deepspeed:
        description += f", own settings {json.dumps(resources.deepspeed, sort_keys=True)}"
    description += f", {versions}, files of format {_FORMAT}"
    digest = hashlib.sha256(description.encode()).hexdigest()[:8]
    return GroupShape(f"{resources.workers}{context.device}_zero{resources.zero}_{digest}", description)


class StepCheckpoints:
    """The checkpoints of one stage. All methods are called by all ranks together."""

    def __init__(self, store: Store, key: str, resources: ResourceSpec, context: Context):
        self._store, self._key, self._context = store, key, context
        self._shape = group_shape(resources, context)
        self.passed_over: dict[str, str] = {}
        """Checkpoint that `newest` has passed over -> why."""

    def save(self, step: int, write_state: Callable[[Path], Mapping[str, str]]) -> None:
        """Let every rank write into one folder, which gets its final name when all are done; older ones go.

        Args:
            step: optimizer steps that are done.
            write_state: writes this rank's part into a folder, flushes it, and returns the SHA-256 of each file.
        """
        nonce = from_rank_0(lambda: secrets.token_hex(6))
        aside = layout.unfinished_checkpoint(self._key, nonce)
        try:
            if self._context.rank == 0:
                write_owner(self._store, layout.unfinished_folder(self._key, nonce))
            with self._store.working_folder(aside) as folder:
                digests = dict(write_state(folder))
            all_digests = {name: digest for part in from_all_ranks(lambda: digests) for name, digest in part.items()}
            if self._context.rank == 0:
                self._finish(step, aside, all_digests)
        finally:
            if self._context.rank == 0:
                self._store.remove(layout.unfinished_folder(self._key, nonce))
        if self._context.world > 1:
            dist.barrier()

    def newest(self) -> Path | None:
        """Return the folder of the newest checkpoint that is whole and that this shape of group can read.

        Those that are passed over are named with their reason. Damaged ones are set aside, as training on reaches their
        steps again, and removed with the others when the stage is done; those of other shapes are kept for groups that
        can read them.

        Raises:
            OSError: one cannot be read now; whether it is damaged is not known, and nothing happens to it.
        """
        for name in reversed(from_rank_0(lambda: self._store.folders(layout.checkpoints(self._key)))):
            folder = f"{layout.checkpoints(self._key)}/{name}"
            is_own = _shape_of(name) == self._shape.name
            problem = self._damage(folder) if is_own else from_rank_0(partial(self._other_shape, folder))
            if is_own and problem is not None:  # what was transferred wrongly may come right the second time
                problem = self._damage(folder)
            if problem is None:
                return self._store.reading(folder)
            self.passed_over[self._store.place(folder)] = problem
            if self._context.rank == 0:
                fate = "it is set aside" if is_own else "it is kept for such a group"
                way_on = "an earlier checkpoint is used, or the stage starts anew"
                logger.warning("%s: %s; %s; %s", self._store.place(folder), problem, fate, way_on)
                if is_own:
                    set_aside(self._store, folder)
        return None

    def _finish(self, step: int, aside: str, digests: Mapping[str, str]) -> None:
        sizes = {name: self._store.facts(f"{aside}/{name}").size for name in digests}
        write(self._store, f"{aside}/{layout.MANIFEST}", CheckpointManifest(self._shape.description, sizes, digests))
        try:
            self._store.move(aside, layout.step_checkpoint(self._key, step, self._shape.name))
        except OSError as error:
            if error.errno not in OCCUPIED:
                raise  # else a second group works on this stage and was faster: its state is the same
        self._remove_old()
        remove_abandoned(self._store, self._key)

    def _remove_old(self) -> None:
        """Keep the newest checkpoints of this shape, and the newest of each of few other shapes."""
        by_shape: dict[str, list[str]] = {}
        for name in reversed(self._store.folders(layout.checkpoints(self._key))):
            by_shape.setdefault(_shape_of(name), []).append(name)
        old = by_shape.pop(self._shape.name, [])[KEPT_CHECKPOINTS:]
        for rank, names in enumerate(by_shape.values()):  # the furthest first
            old += names[1:] if rank < KEPT_OTHER_SHAPES else names
        for name in old:
            self._remove(name)

    def _remove(self, name: str) -> None:
        self._store.remove(f"{layout.checkpoints(self._key)}/{name}")

    def _other_shape(self, folder: str) -> str:
        try:
            manifest = read(self._store, f"{folder}/{layout.MANIFEST}", CheckpointManifest)
        except InputError:
            manifest = None  # its own group will say what is wrong
        writer = "a group of another shape" if manifest is None else f"a group of {manifest.shape}"
        return f"was written by {writer}, which one of {self._shape.description} cannot read"

    def _damage(self, folder: str) -> str | None:
        """Say why a checkpoint of this shape cannot be gone on from; None if it can. Each rank reads a part of it."""
        manifest = from_rank_0(partial(self._manifest, folder))
        if isinstance(manifest, str):
            return manifest
        digests, path = manifest.digests, self._store.reading(folder)
        own = sorted(digests)[self._context.rank :: self._context.world]
        parts = from_all_ranks(lambda: {name: state_damage(path / name, digests[name]) for name in own})
        all_problems = {name: problem for part in parts for name, problem in part.items() if problem is not None}
        return next((f"the file {name}: {all_problems[name]}" for name in sorted(all_problems)), None)

    def _manifest(self, folder: str) -> CheckpointManifest | str:
        """Read the manifest of a checkpoint of this shape, or say what is wrong with it or the sizes that it tells."""
        try:
            manifest = read(self._store, f"{folder}/{layout.MANIFEST}", CheckpointManifest)
        except InputError as error:
            return f"its {layout.MANIFEST} {error.law}"
        if manifest is None:
            return f"a step checkpoint must have a {layout.MANIFEST}, but has none"
        if manifest.shape != self._shape.description or manifest.files.keys() != manifest.digests.keys():
            return f"its {layout.MANIFEST} must be that of a group of {self._shape.description}, but is not"
        for name, size in manifest.files.items():
            if not self._store.exists(f"{folder}/{name}"):
                return f"must have the file {name}, but it is not there"
            there = self._store.facts(f"{folder}/{name}").size
            if there != size:
                return f"the file {name} must have {size:,} bytes, as it was written, but has {there:,}"
        return manifest


def remove_checkpoints(store: Store, key: str) -> None:
    """Remove all checkpoints of a stage that has its result, but for what a living process is writing right now."""
    if not store.exists(layout.checkpoints(key)):
        return
    for name in store.folders(layout.checkpoints(key)):
        store.remove(f"{layout.checkpoints(key)}/{name}")
    if not remove_abandoned(store, key):
        store.remove(layout.checkpoints(key))


def remove_abandoned(store: Store, key: str) -> tuple[str, ...]:
    """Remove the unfinished checkpoints of processes that are gone; return the nonces of those that are left."""
    left = []
    for nonce in store.folders(layout.unfinished_checkpoints(key)):
        folder = layout.unfinished_folder(key, nonce)
        if is_abandoned(store, folder):
            store.remove(folder)
        else:
            left.append(nonce)
    return tuple(left)


def _shape_of(name: str) -> str:
    """Read the shape in the name of a checkpoint's folder; empty in those of the first format, which had none."""
    return name.partition("-")[2]
