"""One worker's side of a group: it opens the loop of a trial and advances it by counts of units.

What goes wrong in the loop is an answer, not an exception, so that it means the same in this process and in another
one. While a trial is open, the file descriptors 1 and 2 of the process belong to the trial's log.
"""

from __future__ import annotations

import gc
import importlib
import os
import sys
import time
import traceback
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypedDict

from trainables.storage import layout
from trainables.storage.records import Progress
from trainables.task import Context, TrialTask
from trainables.workers.process_group import Rendezvous

RUN_TRIAL = "trainables.run_trial:run_trial"

Loop = Callable[[TrialTask, Context], Iterator[Progress]]


class Failed(TypedDict):
    kind: str
    message: str
    traceback: str
    rank: int | None


class Answer(TypedDict, total=False):
    """What a worker says to each request: nothing, how far it got, or how it failed."""

    progress: Progress
    units: int
    seconds: float
    """Wall time of these units."""
    failure: Failed


class Worker:
    """A member of a group. The loop's libraries are imported when it is made, and kept out of garbage collections.

    Args:
        place: rank, world, local_rank, device, host and first_of_node (`cluster.launcher.Place`), as a plain mapping.
        loop: import path ``module:name`` of the loop.
        joins: False for loops that need no process group.
    """

    def __init__(self, place: Mapping[str, Any], loop: str = RUN_TRIAL, joins: bool = True):
        is_first = place.get("first_of_node", False)
        self._context = Context(place["rank"], place["world"], place["local_rank"], place["device"], is_first)
        self._host: str = place["host"]
        self._loop: Loop = _load(loop)
        self._rendezvous = Rendezvous() if joins else None
        self._open: Iterator[Progress] | None = None
        self._log: _Redirection | None = None
        gc.collect()
        gc.freeze()  # the libraries' objects: each later collection would look at all of them (0.5 s)

    def listen(self) -> str:
        return self._rendezvous.listen(self._host, self._context.world) if self._rendezvous else "none"

    def join(self, address: str) -> None:
        if self._rendezvous:
            context = self._context
            self._rendezvous.join(address, context.rank, context.world, context.device, context.local_rank)

    def open(self, task: TrialTask) -> Answer:
        """Begin a trial. A trial that was stopped before its end is closed first: its clean-up runs now."""
        self.close()
        rank = self._context.rank
        self._log = _Redirection(Path(task.storage) / layout.worker_log(task.study, task.id, rank))
        answer = Answer()
        with _told(answer, rank):
            now = datetime.now(UTC).isoformat(timespec="seconds")
            print(f"=== {now} {task.id} rank {rank} of {self._context.world} pid {os.getpid()}", flush=True)
            self._open = iter(self._loop(task, self._context))
        return answer

    def advance(self, units: int) -> Answer:
        """Advance by at most so many units, to the end of a node at the furthest: the same on every rank."""
        answer = Answer()
        with _told(answer, self._context.rank):
            if self._open is None:
                raise RuntimeError("no trial is open")
            began, done = time.monotonic(), 0
            for _ in range(units):
                progress = next(self._open, None)
                if progress is None:
                    raise RuntimeError("the loop ended without saying that the trial is done")
                done += 1
                answer["progress"] = progress
                if progress.get("event") != "progress":
                    break
            answer["units"], answer["seconds"] = done, time.monotonic() - began
        if "failure" in answer or answer.get("progress", {}).get("event") == "trial_done":
            self.close()
        return answer

    def close(self) -> None:
        """End the trial that is open, if one is: its `finally` blocks run, the process stays as it is.

        An error in those blocks is told in the trial's log and must not fall on the next trial.
        """
        loop, self._open = self._open, None
        if isinstance(loop, Generator):
            with _told(Answer(), self._context.rank):
                loop.close()
        if self._log is not None:
            self._log.end()
            self._log = None


@contextmanager
def _told(answer: Answer, rank: int) -> Iterator[None]:
    """Turns an exception of the block into a failure of the answer, told in full on stderr."""
    try:
        yield
    except Exception as error:
        told = traceback.format_exc()
        print(told, file=sys.stderr, flush=True)
        answer["failure"] = Failed(kind=_kind(error), message=_headline(error), traceback=told, rank=rank)


class _Redirection:
    """What this process and its children write goes to the end of a file, until `end`."""

    def __init__(self, log: Path):
        log.parent.mkdir(parents=True, exist_ok=True)
        _flush()
        self._originals = {descriptor: os.dup(descriptor) for descriptor in (1, 2)}
        file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        for descriptor in self._originals:
            os.dup2(file, descriptor)
        os.close(file)

    def end(self) -> None:
        _flush()
        for descriptor, original in self._originals.items():
            os.dup2(original, descriptor)
            os.close(original)
        self._originals = {}


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        if stream is not None and not stream.closed:
            stream.flush()


def _kind(error: Exception) -> str:
    """`memory` for what runs out of device or host memory, whatever class a library raises it as."""
    out_of_memory = isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"
    text = str(error).lower()
    return "memory" if out_of_memory or "out of memory" in text or "can't allocate memory" in text else "error"


def _headline(error: Exception) -> str:
    text = str(error).strip()
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _load(path: str) -> Any:
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)
