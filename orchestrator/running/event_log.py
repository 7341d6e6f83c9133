"""Write the events of a run as JSON Lines, for programs that follow it: `ablate run --events FILE`."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, assert_never

from orchestrator.json_text import json_text
from orchestrator.running.retry_policy import AfterStorage, Again, Decision, GivenUp
from orchestrator.running.trial_events import AttemptFailed, Blocked, Dispatched, TrialEvent
from orchestrator.schema_version import SCHEMA_VERSION
from search_spaces.error_text import first_line, named_message
from search_spaces.errors import InputError
from search_spaces.outcomes import AwaitsRoom, NodeDone, Started, TrialDone, UnitDone
from search_spaces.plan import Plan
from trainables.storage.records import Failure

EventName = Literal[
    "run started",
    "trial started",
    "workers started",
    "waits for room",
    "progress",
    "work done",
    "trial done",
    "attempt failed",
    "trial blocked",
    "run ended",
]
"""Names of the lines. `workers started` and `progress` may be missing for short work; `waits for room` is only there
where a launcher reserves room by itself, and others have it. All else is always there."""


class EventLog:
    """File to which a run appends its events, a JSON object a line, each written at once. Safe to call from any thread.

    Inside of its `with` block a run can be told to it; the last line says how the block ended. Where a line cannot be
    written, for want of room or of a reader, the run goes on without further lines.

    Args:
        path: the file; it is made, or appended to. A named pipe waits for its reader.
        notice: is told, once, that lines cannot be written any more.
        clock: seconds since the epoch.

    Raises:
        InputError: the file cannot be opened for writing.
    """

    def __init__(
        self, path: Path, notice: Callable[[str], None] = print, clock: Callable[[], float] = time.time
    ) -> None:
        try:
            self._file = path.expanduser().open("a", buffering=1, encoding="utf-8")
        except OSError as error:
            law = f"must be a file that can be written, but {path}: {error.strerror}"
            raise InputError(law, key="--events") from error
        self._path, self._notice, self._clock, self._lock = path, notice, clock, threading.Lock()
        self._is_broken = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        code = getattr(error, "exit_code", None)  # typer.Exit: how every command ends that has a code
        told = error if code is None else None
        self._write("run ended", exit_code=code, error=None if told is None else first_line(named_message(told)))
        with suppress(OSError):  # what was not written has been told
            self._file.close()

    def run_started(self, plan: Plan, done: int) -> None:
        """Write that trials are about to be handed out.

        Args:
            plan: whose trials the following lines are about.
            done: number of its trials that were done before.
        """
        self._write("run started", study=plan.study, trials=len(plan.trials), done=done)

    def show(self, event: TrialEvent) -> None:
        """Write an event of a trial."""
        match event.event:
            case Dispatched():
                self._of_trial("trial started", event)
            case Started(fresh_group):
                self._of_trial("workers started", event, fresh_group=fresh_group)
            case AwaitsRoom():
                self._of_trial("waits for room", event)
            case UnitDone() as unit:
                self._of_trial("progress", event, **asdict(unit))
            case NodeDone(node):
                self._of_trial("work done", event, node=node)
            case TrialDone():
                self._of_trial("trial done", event)
            case AttemptFailed(failure, follows):
                self._of_trial("attempt failed", event, **_failure(failure), **_follows(follows))
            case Blocked(failure):
                self._of_trial("trial blocked", event, **_failure(failure))
            case _:
                assert_never(event.event)

    def _of_trial(self, name: EventName, event: TrialEvent, **fields: Any) -> None:
        self._write(name, at=event.at, trial=event.trial, **fields)

    def _write(self, name: EventName, *, at: float | None = None, **fields: Any) -> None:
        line = {"schema_version": SCHEMA_VERSION, "at": self._clock() if at is None else at, "event": name, **fields}
        with self._lock:
            if self._is_broken:
                return
            try:
                self._file.write(json_text(line) + "\n")
            except OSError as error:
                self._is_broken = True
                self._notice(f"--events: no more lines: {self._path}: {error.strerror}")


def _failure(failure: Failure) -> dict[str, Any]:
    """Return what a program does about a failure depends on; the traceback is in the log."""
    return {
        "kind": failure.kind,
        "message": failure.message,
        "attempt": failure.attempt,
        "during": failure.during,
        "rank": failure.rank,
        "host": failure.host,
        "gpu": failure.gpu,
        "log": failure.log,
    }


def _follows(decision: Decision) -> dict[str, Any]:
    match decision:
        case Again(after_s=after_s):
            return {"follows": "again", "after_s": after_s}
        case AfterStorage():
            return {"follows": "after storage", "after_s": None}
        case GivenUp():
            return {"follows": "nothing", "after_s": None}
        case _:
            assert_never(decision)
