"""Open a trial's loop in a worker process and advance it (`search_spaces.worker_contract.Member`).

While a trial is open, the file descriptors 1 and 2 of the process belong to the trial's log.
"""

from __future__ import annotations

import gc
import os
import sys
import time
from collections.abc import Callable, Generator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from pkgutil import resolve_name

from search_spaces.error_text import named_message, traceback_text
from search_spaces.failure_kind import failure_kind
from search_spaces.outcomes import FailureKind, Progress, TrialDone, UnitDone
from search_spaces.worker_contract import Advanced, Failed, Opened, RankInfo
from trainables.storage import layout
from trainables.storage.damages import DamagedArtifactError
from trainables.task import Context, TrialTask
from trainables.workers.heap import keep_freed_memory
from trainables.workers.process_group import FailedPeerError, Rendezvous

RUN_TASK = "trainables.run_task:run_task"

Loop = Callable[[TrialTask, Context], Iterator[Progress]]


class Worker:
    """A member of a group. The loop's libraries are imported when it is made, and kept out of garbage collections.

    Args:
        rank_info: this worker's rank and device.
        loop: import path ``module:name`` of the loop.
        joins: False for loops that need no process group.
    """

    def __init__(self, rank_info: RankInfo, loop: str = RUN_TASK, joins: bool = True):
        self._context = Context(
            rank_info.rank, rank_info.world, rank_info.local_rank, rank_info.device, rank_info.first_of_node
        )
        if rank_info.device == "cpu":
            keep_freed_memory()
        self._host = rank_info.host
        self._loop: Loop = resolve_name(loop)
        self._rendezvous = Rendezvous() if joins else None
        self._open: Iterator[Progress] | None = None
        self._log: _Redirection | None = None
        gc.collect()
        gc.freeze()  # the libraries' objects: each later collection would look at all of them (0.5 s)

    def listen(self) -> str:
        """Open the meeting point of the group on rank 0 and return its address."""
        return self._rendezvous.listen(self._host, self._context.world) if self._rendezvous else "none"

    def join(self, address: str) -> None:
        """Join the group that meets at `address`; returns when all ranks have."""
        if self._rendezvous:
            context = self._context
            self._rendezvous.join(address, context.rank, context.world, context.device, context.local_rank)

    def open(self, task: TrialTask) -> Opened | Failed:
        """Begin a trial. A trial that was stopped before its end is closed first: its clean-up runs now."""
        self.close()
        rank = self._context.rank
        self._log = _Redirection(Path(task.storage) / layout.worker_log(task.study, task.id, rank))
        now = datetime.now(UTC).isoformat(timespec="seconds")
        print(f"=== {now} {task.id} rank {rank} of {self._context.world} pid {os.getpid()}", flush=True)
        try:
            self._open = iter(self._loop(task, self._context))
        except Exception as error:
            return self._failed(error)
        return Opened()

    def advance(self, units: int) -> Advanced | Failed:
        """Advance by at most so many units, to the end of a node at the furthest: the same on every rank."""
        try:
            answer: Advanced | Failed = self._advanced(units)
        except Exception as error:
            answer = self._failed(error)
        match answer:
            case Failed() | Advanced(progress=TrialDone()):
                self.close()
        return answer

    def close(self) -> None:
        """End the trial that is open, if one is: its `finally` blocks run, the process stays as it is.

        An error in those blocks is printed to the trial's log and must not fall on the next trial.
        """
        loop, self._open = self._open, None
        if isinstance(loop, Generator):
            try:
                loop.close()
            except Exception as error:
                self._failed(error)
        if self._log is not None:
            self._log.end()
            self._log = None

    def _advanced(self, units: int) -> Advanced:
        if self._open is None:
            raise RuntimeError("no trial is open")
        began = time.monotonic()
        for done in range(1, units + 1):
            progress = next(self._open, None)
            if progress is None:
                raise RuntimeError("the loop ended without saying that the trial is done")
            if done == units or not isinstance(progress, UnitDone):
                return Advanced(progress, done, time.monotonic() - began)
        raise ValueError(f"a worker must be advanced by 1 unit or more, but got {units}")

    def _failed(self, error: Exception) -> Failed:
        """Return the failure of an exception, which is printed in full to stderr."""
        trace = traceback_text()
        print(trace, file=sys.stderr, flush=True)
        return Failed(
            _kind(error),
            named_message(error),
            traceback=trace,
            rank=self._context.rank,
            is_consequence=isinstance(error, FailedPeerError),
        )


class _Redirection:
    """A redirection of what this process and its children write to the end of a file, until `end`."""

    def __init__(self, log: Path):
        log.parent.mkdir(parents=True, exist_ok=True)
        _flush()
        self._originals = {descriptor: os.dup(descriptor) for descriptor in (1, 2)}
        file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        for descriptor in self._originals:
            os.dup2(file, descriptor)
        os.close(file)

    def end(self) -> None:
        """Restore the descriptors."""
        _flush()
        for descriptor, original in self._originals.items():
            os.dup2(original, descriptor)
            os.close(original)
        self._originals = {}


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        if stream is not None and not stream.closed:
            stream.flush()


def _kind(error: Exception) -> FailureKind:
    """Return `damaged` for what storage does not hold as it was written, else the kind of any other code's errors."""
    return "damaged" if isinstance(error, DamagedArtifactError) else failure_kind(error)
