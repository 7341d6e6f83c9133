"""Write the step checkpoints of a stage: while its steps wait, or in the background while it trains on.

In the background each rank copies its part out of the device into host memory, which is all that a step waits for, and
one thread of the process writes the copy to storage. At most one checkpoint is on its way: the next one waits for it.
That all ranks have written theirs they learn from the collective that sums the loss of every step; then the main
threads give the checkpoint its name together. A checkpoint without its name was never there: a stop, a failure or the
end of the stage gives it up.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from threading import Event
from typing import Any, Protocol

from search_spaces.error_text import named_message
from search_spaces.out_of_memory import is_out_of_memory
from search_spaces.quantities import bytes_text
from search_spaces.resource_spec import CheckpointForm
from trainables.host_memory import host_memory
from trainables.task import Context
from trainables.training.engine import Engine
from trainables.training.host_buffer import HostBuffer
from trainables.training.state_files import StateContent, WritingGivenUpError, write_content
from trainables.training.step_checkpoints import StepCheckpoints
from trainables.workers.process_group import from_all_ranks, from_rank_0, wait_for_all

SHARE_FOR_COPIES = 0.9
"""Of the free memory of a host that copies of states may take: what workers load and decode grows meanwhile."""


class CheckpointWriter(Protocol):
    """Writer of the step checkpoints of one stage. All ranks call the same methods in the same order, but for `close`.

    A failure to write is raised on all ranks by `save`, `settle` or `finish`: the rank that it befell raises the error
    itself, the others a FailedPeerError. Nothing is kept of that checkpoint.
    """

    def save(self, step: int, state: Mapping[str, Any]) -> None:
        """Write a checkpoint, or begin to.

        Args:
            step: optimizer steps that are done.
            state: values that `Engine.load` returns; may be changed as soon as this returns.
        """
        ...

    def vote(self) -> int:
        """Return what this rank adds to the votes of the next step, for `settle`."""
        ...

    def settle(self, votes: int) -> None:
        """Give the checkpoint its name that is on its way, if all ranks have written it.

        Args:
            votes: sum of the votes of all ranks in the last step.
        """
        ...

    def finish(self) -> None:
        """Wait until the checkpoint that is on its way, if one is, has its name."""
        ...

    def end(self) -> None:
        """Give up the checkpoint that is on its way, if one is, as the stage is trained."""
        ...

    def close(self) -> None:
        """Give up the checkpoint that is on its way, if one is; no thread and no copy is left. No collective."""
        ...


class WaitingWriter:
    """Writer that returns when a checkpoint is on storage.

    Args:
        checkpoints: of the stage.
        engine: whose state is written.
        context: of this worker.
    """

    def __init__(self, checkpoints: StepCheckpoints, engine: Engine, context: Context) -> None:
        self._checkpoints, self._engine = checkpoints, engine

    def save(self, step: int, state: Mapping[str, Any]) -> None:
        content, file = self._engine.checkpoint_content(dict(state)), self._engine.checkpoint_file
        self._checkpoints.save(step, lambda folder: {file: write_content(content, folder / file)})

    def vote(self) -> int:
        return 0

    def settle(self, votes: int) -> None:
        pass

    def finish(self) -> None:
        pass

    def end(self) -> None:
        pass

    def close(self) -> None:
        pass


@dataclass(frozen=True)
class _OnItsWay:
    """A checkpoint that is being written."""

    step: int
    digests: Future[dict[str, str]]
    """File of this rank -> its SHA-256."""


class BackgroundWriter:
    """Writer that returns when the state is in host memory, and writes it to storage meanwhile.

    Args:
        checkpoints: of the stage.
        engine: whose state is written.
        context: of this worker.
    """

    def __init__(self, checkpoints: StepCheckpoints, engine: Engine, context: Context) -> None:
        self._checkpoints, self._engine, self._context = checkpoints, engine, context
        self._buffer = HostBuffer(is_pinned=context.device == "cuda")
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="step-checkpoint")
        self._is_given_up = Event()
        self._nonce: str | None = None
        """Of the folder of unfinished checkpoints, once there was one."""
        self._copies = True
        """Whether the host had room for the copies of its workers when the first checkpoint was due."""
        self._on_its_way: _OnItsWay | None = None
        self._removal: Future[None] | None = None
        """Of checkpoints that are older than those which are kept, by rank 0."""

    def save(self, step: int, state: Mapping[str, Any]) -> None:
        self._wait_for_earlier()
        content = self._engine.checkpoint_content(dict(state))
        if self._nonce is None:
            self._nonce, self._copies = self._checkpoints.begin(), _have_room(content.size)
        copy = self._buffer.copy(content) if self._copies and self._is_reserved(content.size) else content
        if copy is content:
            print(f"the host has no memory for a copy of the state: step {step} waits for its checkpoint", flush=True)
        digests = self._thread.submit(self._write, self._nonce, copy)
        if copy is content:
            wait([digests])
        self._on_its_way = _OnItsWay(step, digests)

    def _is_reserved(self, size: int) -> bool:
        """Take the host's memory for a copy of so many bytes; False where the host does not give it."""
        try:
            self._buffer.reserve(size)
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            return False
        return True

    def vote(self) -> int:
        """Return 0 while there is nothing to settle, 1 if this rank has written, more than all ranks if it failed."""
        writing = self._on_its_way
        if writing is None or not writing.digests.done():
            return 0
        return 1 if writing.digests.exception() is None else self._context.world + 1

    def settle(self, votes: int) -> None:
        if votes > self._context.world:  # a rank has failed: what the others still write is for nothing
            self._is_given_up.set()
        if votes >= self._context.world:
            self.finish()

    def finish(self) -> None:
        writing, self._on_its_way = self._on_its_way, None
        if writing is None or self._nonce is None:
            return
        self._checkpoints.publish(writing.step, self._nonce, lambda: self._written(writing))
        from_rank_0(self._wait_for_removal)  # behind the name: where old ones stay, the new one does, too
        if self._context.rank == 0:
            self._removal = self._thread.submit(self._checkpoints.remove_old)

    def end(self) -> None:
        self._stop()
        wait_for_all()  # rank 0 removes a folder in which nobody writes
        self.close()

    def close(self) -> None:
        self._stop()
        self._buffer.release()
        nonce, self._nonce = self._nonce, None
        if nonce is not None:
            self._checkpoints.give_up(nonce)

    def _stop(self) -> None:
        """End the thread. What has failed in it, and nobody has waited for, is told in the log."""
        self._is_given_up.set()
        self._thread.shutdown(wait=True)
        writing, self._on_its_way = self._on_its_way, None
        if writing is not None:
            failure = writing.digests.exception()
            if failure is not None and not isinstance(failure, WritingGivenUpError):
                print(f"the checkpoint of step {writing.step} is missing: {named_message(failure)}", flush=True)
        removal, self._removal = self._removal, None
        failure = removal.exception() if removal else None
        if failure is not None:
            print(f"old checkpoints were not removed: {named_message(failure)}", flush=True)

    def _wait_for_removal(self) -> None:
        """Wait until the checkpoints are gone that were to be removed last; raises what has failed in that."""
        removal, self._removal = self._removal, None
        if removal is not None:
            removal.result()

    def _wait_for_earlier(self) -> None:
        writing, began = self._on_its_way, time.monotonic()
        self.finish()
        if writing is not None and self._context.rank == 0:
            waited_s = time.monotonic() - began
            print(f"waited {waited_s:.1f} s for the checkpoint of step {writing.step} to be on storage", flush=True)

    def _write(self, nonce: str, content: StateContent) -> dict[str, str]:
        if self._is_given_up.is_set():
            raise WritingGivenUpError
        file = self._engine.checkpoint_file
        with self._checkpoints.writing(nonce) as folder:
            return {file: write_content(content, folder / file, self._is_given_up.is_set)}

    def _written(self, writing: _OnItsWay) -> dict[str, str]:
        """Wait for this rank's part; empty if it was given up, as another rank has failed."""
        try:
            return writing.digests.result()
        except WritingGivenUpError:
            return {}


def _have_room(size: int) -> bool:
    """Check whether this host has memory for the copies of all its workers. A collective.

    Linux gives memory that it does not have, and kills whoever uses it, so nobody is told that it is missing.

    Args:
        size: of this rank's copy, in bytes.
    """
    host = socket.gethostname()
    ranks = from_all_ranks(lambda: (host, size, host_memory().free))
    sizes, free = (
        [size for name, size, _ in ranks if name == host],
        min(free for name, _, free in ranks if name == host),
    )
    has_room = sum(sizes) <= free * SHARE_FOR_COPIES
    if not has_room:
        print(
            f"{host} has {bytes_text(free)} of memory free: copies of the state of its {len(sizes)} workers"
            f" ({bytes_text(sum(sizes))}) may take {SHARE_FOR_COPIES:.0%} of that",
            flush=True,
        )
    return has_room


WRITERS: dict[CheckpointForm, type[WaitingWriter | BackgroundWriter]] = {
    "wait": WaitingWriter,
    "background": BackgroundWriter,
}
