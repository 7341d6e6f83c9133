"""Keep and choose the step checkpoints of a stage: folders that all workers write to, renamed when they are whole.

Whoever starts a stage goes on from the newest checkpoint whose files have the digests that were taken when they were
written, whatever group has written it; what is passed over is named with its reason.
"""

from __future__ import annotations

import errno
import json
import logging
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from search_spaces.errors import InputError
from search_spaces.resource_spec import ResourceSpec
from search_spaces.resources import KEPT_CHECKPOINTS
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
from trainables.workers.process_group import from_all_ranks, from_rank_0, wait_for_all

_OTHER_FORMAT = (
    f"was written by another version of this program, which has another format than {layout.CHECKPOINT_FORMAT}"
)

logger = logging.getLogger(__name__)


def group_description(resources: ResourceSpec, context: Context) -> str:
    """Describe a group of workers by what may change how it rounds.

    Args:
        resources: of the stage, as it runs.
        context: device of the workers.
    """
    description = f"workers {resources.workers} on {context.device}, ZeRO {resources.zero}, offload {resources.offload}"
    if resources.deepspeed:
        description += f", own settings {json.dumps(resources.deepspeed, sort_keys=True)}"
    if resources.deterministic:
        description += ", deterministic kernels"
    if resources.compile:
        description += ", compiled layers"
    versions = ", ".join(f"{name} {version}" for name, version in installed_versions(("deepspeed",)).items())
    return f"{description}, {versions}"


class StepCheckpoints:
    """The checkpoints of one stage. Methods are called by all ranks together, but for those that say otherwise."""

    def __init__(self, store: Store, key: str, resources: ResourceSpec, context: Context):
        self._store, self._key, self._context = store, key, context
        self.group = group_description(resources, context)
        """Description of these ranks, as `written_by` has it of others."""
        self.passed_over: dict[str, str] = {}
        """Checkpoint that `newest` has passed over -> why."""
        self.files: tuple[str, ...] = ()
        """Names of the files of the checkpoint that `newest` has returned, all of which were verified."""
        self.written_by = ""
        """The group that has written the checkpoint that `newest` has returned; empty for one like this."""

    def save(self, step: int, write_state: Callable[[Path], Mapping[str, str]]) -> None:
        """Let every rank write into one folder, which gets its final name when all are done; older ones go.

        Args:
            step: optimizer steps that are done.
            write_state: writes this rank's part into a folder, flushes it, and returns the SHA-256 of each file; has no
                collective in it.

        Raises:
            FailedPeerError: another rank could not write its part; that rank raises the error itself. Nothing is kept.
        """
        nonce = from_rank_0(lambda: secrets.token_hex(6))

        def write_part() -> dict[str, str]:
            with self.writing(nonce) as folder:
                return dict(write_state(folder))

        try:
            from_rank_0(lambda: write_owner(self._store, layout.unfinished_folder(self._key, nonce)))
            self.publish(step, nonce, write_part)
            from_rank_0(self.remove_old)
        finally:
            self.give_up(nonce)
        wait_for_all()

    def begin(self) -> str:
        """Make a folder for unfinished checkpoints, one at a time, and return its nonce."""
        nonce = from_rank_0(lambda: secrets.token_hex(6))
        from_rank_0(lambda: write_owner(self._store, layout.unfinished_folder(self._key, nonce)))
        return nonce

    @contextmanager
    def writing(self, nonce: str) -> Iterator[Path]:
        """Provide the folder into which this rank writes its part of the unfinished checkpoint. No collective.

        Rank 0 may give the checkpoint up at any time. A part that is written later would lie there without an owner.

        Raises:
            FileNotFoundError: it was given up before.
        """
        folder = layout.unfinished_folder(self._key, nonce)
        owner = layout.owner_in(folder)
        if not self._store.exists(owner):
            raise FileNotFoundError(errno.ENOENT, "this unfinished checkpoint was given up", self._store.place(folder))
        try:
            with self._store.working_folder(layout.unfinished_checkpoint(self._key, nonce)) as path:
                yield path
        finally:
            if not self._store.exists(owner):
                self._store.remove(folder)

    def publish(self, step: int, nonce: str, written: Callable[[], Mapping[str, str]]) -> None:
        """Give the unfinished checkpoint its final name.

        Args:
            step: optimizer steps that are done.
            nonce: of the unfinished checkpoint.
            written: returns the SHA-256 of each file of this rank, once they are flushed; has no collective in it.

        Raises:
            FailedPeerError: another rank could not write its part; that rank raises the error itself.
        """
        digests = {name: digest for part in from_all_ranks(written) for name, digest in part.items()}
        from_rank_0(lambda: self._name(step, layout.unfinished_checkpoint(self._key, nonce), digests))

    def remove_old(self) -> None:
        """Keep the newest checkpoints and those of other formats, and remove what killed processes have left.

        Called by rank 0 alone.
        """
        names = self._store.folders(layout.checkpoints(self._key))
        own = [name for name in names if layout.step_of_checkpoint(name) is not None]
        for name in own[:-KEPT_CHECKPOINTS]:
            self._store.remove(f"{layout.checkpoints(self._key)}/{name}")
        remove_abandoned(self._store, self._key)

    def give_up(self, nonce: str) -> None:
        """Remove the folder of unfinished checkpoints, by rank 0. No collective."""
        if self._context.rank == 0:
            self._store.remove(layout.unfinished_folder(self._key, nonce))

    def newest(self) -> Path | None:
        """Return the folder of the newest checkpoint that is whole.

        Those that are passed over are named with their reason. Damaged ones are set aside, as training on reaches their
        steps again, and removed with the others when the stage is done; those of other formats are left until then.

        Raises:
            OSError: one cannot be read now; whether it is damaged is not known, and nothing happens to it.
        """
        for name in reversed(from_rank_0(lambda: self._store.folders(layout.checkpoints(self._key)))):
            folder = f"{layout.checkpoints(self._key)}/{name}"
            is_own = layout.step_of_checkpoint(name) is not None
            problem = self._damage(folder) if is_own else _OTHER_FORMAT
            if is_own and problem is not None:  # what was transferred wrongly may come right the second time
                problem = self._damage(folder)
            if problem is None:
                return self._store.reading(folder)
            self.passed_over[self._store.place(folder)] = problem
            if self._context.rank == 0:
                fate = "it is set aside" if is_own else "it is left where it is"
                way_on = "an earlier checkpoint is used, or the stage starts anew"
                logger.warning("%s: %s; %s; %s", self._store.place(folder), problem, fate, way_on)
                if is_own:
                    set_aside(self._store, folder)
        return None

    def _name(self, step: int, aside: str, digests: Mapping[str, str]) -> None:
        sizes = {name: self._store.facts(f"{aside}/{name}").size for name in digests}
        write(self._store, f"{aside}/{layout.MANIFEST}", CheckpointManifest(self.group, sizes, digests))
        try:
            self._store.move(aside, layout.step_checkpoint(self._key, step))
        except OSError as error:
            if error.errno not in OCCUPIED:
                raise  # else a second group works on this stage and was faster: its state is the same, up to rounding

    def _damage(self, folder: str) -> str | None:
        """Say why a checkpoint cannot be gone on from; None if it can. Each rank reads a part of it."""
        manifest = from_rank_0(partial(self._manifest, folder))
        if isinstance(manifest, str):
            return manifest
        self.written_by = manifest.shape if manifest.shape != self.group else ""
        self.files = tuple(manifest.files)
        digests, path = manifest.digests, self._store.reading(folder)
        own = sorted(digests)[self._context.rank :: self._context.world]
        parts = from_all_ranks(lambda: {name: state_damage(path / name, digests[name]) for name in own})
        all_problems = {name: problem for part in parts for name, problem in part.items() if problem is not None}
        return next((f"the file {name}: {all_problems[name]}" for name in sorted(all_problems)), None)

    def _manifest(self, folder: str) -> CheckpointManifest | str:
        """Read the manifest of a checkpoint, or say what is wrong with it or the sizes that it tells."""
        try:
            manifest = read(self._store, f"{folder}/{layout.MANIFEST}", CheckpointManifest)
        except InputError as error:
            return f"its {layout.MANIFEST} {error.law}"
        if manifest is None:
            return f"a step checkpoint must have a {layout.MANIFEST}, but has none"
        if not manifest.files or manifest.files.keys() != manifest.digests.keys():
            return f"its {layout.MANIFEST} must have the size and the digest of every file, but has not"
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
