"""Run a trial as a Tune trainable: start or reuse a group of workers, open the loop, advance it by steps of seconds.

Tune may set a trial up in one process and run it in another, so `setup` and `reset_config` only remember its id. What
the trial is to do is read from storage when it starts, hence edits between two attempts count. The group outlives the
trial and serves the next one of equal resources. This process imports nothing heavy unless it is the only worker.
"""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import psutil
import ray
from ray import tune

from search_spaces.error_text import named_message, traceback_text
from search_spaces.failure_kind import failure_kind
from search_spaces.oom_kills import count_oom_kills
from search_spaces.outcomes import AwaitsRoom, FailureKind, NodeDone, Progress, Started, UnitDone
from search_spaces.worker_contract import Failed, Group, NoRoom, StartGroup
from trainables.smaller_batches import memory_note
from trainables.storage import layout
from trainables.storage.record_files import read, write
from trainables.storage.records import Failure
from trainables.storage.store import LocalStore, Store
from trainables.task import TrialTask
from trainables.workers.tune_result import TuneResult, write_result

Answer = TypeVar("Answer")

STEP_S = 1.0
"""Wall seconds that one step should take: long enough to cost nothing, short enough to show life and to stop soon."""

RESULTS_PER_S = 20.0
"""Most results that one driver should have to take per second, of all trials that run: each costs it milliseconds."""

GROWTH = 4
"""A step has at most so many times the units of the one before: one slow unit tells little of the next."""

ALLOWANCE_S = 600.0
"""On top of the trial's own `hang_timeout_s` where something is done for the first time: libraries and weights are
loaded, a model is built, an evaluation set is read."""

CONDUCTOR_MARGIN_S = 60.0
"""A group notices its own silent workers; whoever watches this process waits so much longer than the group does."""


def report_every_s(trials: int) -> float:
    """Return the seconds between two results of each of so many trials that may run at a time.

    The interval of a trial stays what it was when it began. So it is not that of the number that runs by then: of
    trials that begin one after another the first would report each second for ever.
    """
    return max(STEP_S, trials / RESULTS_PER_S)


class TrialFailedError(RuntimeError):
    """The attempt has failed. What happened is in the trial's folder, unless the storage is full.

    Args:
        kind: of the failure.
        message: one line for people.
    """

    def __init__(self, kind: FailureKind, message: str):
        super().__init__(kind, message)
        self.kind, self.message = kind, message

    def __str__(self) -> str:
        return f"{self.kind}: {self.message}"


class TuneTrial(tune.Trainable):  # type: ignore[misc]  # ray has no types
    """The Tune trainable. Its configuration is ``{"trial": id}``, as Tune interprets what it is given.

    Beside it stand ``"nodes"``, ``"on_one_node"``, ``"report_every_s"``, and ``"storage"`` of a rehearsal, which has
    one of its own.
    """

    def setup(self, config: dict[str, Any], start_group: StartGroup, study: str, storage: str) -> None:
        """Remember what a trial needs; nothing is started yet.

        Args:
            start_group: starts the workers of a trial, inside its reservation.
            study: its name, which is its folder on storage.
            storage: root of the storage with the tasks of trials.
        """
        self._start_group, self._study, self._storage_root = start_group, study, storage
        self._group: Group | None = None
        self._remember(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self._remember(new_config)
        return True

    def _remember(self, config: Mapping[str, Any]) -> None:
        self._trial: str = config["trial"]
        self._nodes: str = config.get("nodes", "")
        self._on_one_node: bool = config.get("on_one_node", False)
        self._store: Store = LocalStore(Path(config.get("storage", self._storage_root)))
        self._report_every_s: float = config.get("report_every_s", STEP_S)
        self._task: TrialTask | None = None
        self._opened: Group | None = None
        self._units = 1
        self._first = True
        self._done: set[str] = set()

    def step(self) -> dict[str, Any]:
        """Advance the trial and return one result. The first comes at once and says which process to watch."""
        try:
            return self._step()
        except TrialFailedError:
            raise
        except Exception as error:
            self._fail(Failed(failure_kind(error), named_message(error), traceback=traceback_text(), rank=0))

    def _step(self) -> dict[str, Any]:
        if self._task is None:
            self._task = _read_task(self._store, self._study, self._trial)
            return self._result(Started(fresh_group=self._group is None))
        group, spent_s = self._opened or self._open(self._task), 0.0
        if group is None:
            return self._result(AwaitsRoom())
        while True:
            progress, seconds = self._advance(group)
            spent_s += max(seconds, STEP_S)
            if spent_s >= self._report_every_s or not isinstance(progress, UnitDone):
                return self._result(progress)

    def _advance(self, group: Group) -> tuple[Progress, float]:
        """Advance the trial by about `STEP_S`. Returns what it has come to, and the seconds of it."""
        advanced = self._checked(group.advance(self._units, self._timeout_s()))
        self._first = not isinstance(advanced.progress, UnitDone)  # the next unit begins another node
        if isinstance(advanced.progress, NodeDone):
            self._done.add(advanced.progress.node)
        wanted = int(STEP_S * advanced.units / max(advanced.seconds, 1e-6))
        self._units = 1 if self._first else max(1, min(wanted, GROWTH * advanced.units))
        return advanced.progress, advanced.seconds

    def cleanup(self) -> None:
        self._drop_group()

    def _open(self, task: TrialTask) -> Group | None:
        """Open the trial in the group that is there, or in a new one if there is none or its workers have died idle.

        Returns None where there is no room for a new one yet.
        """
        if self._group is not None:
            answer = self._group.open(task, self._timeout_s())
            if not (isinstance(answer, Failed) and answer.kind in ("lost", "preempted", "hung")):
                self._checked(answer)
                self._opened = self._group
                return self._group
            self._drop_group()
        started = self._start_group(self._trial, self._nodes, self._on_one_node)
        if isinstance(started, NoRoom):
            return None
        self._group = self._checked(started)
        self._checked(self._group.open(task, self._timeout_s()))
        self._opened = self._group
        return self._group

    def _drop_group(self) -> None:
        group, self._group, self._opened = self._group, None, None
        if group is not None:
            group.kill()

    def _checked(self, answer: Answer | Failed) -> Answer:
        """Return the answer, unless it is a failure: that is the end of the attempt."""
        if isinstance(answer, Failed):
            self._fail(answer)
        return answer

    def _fail(self, failed: Failed) -> NoReturn:
        """Record a failure in the trial's folder; it ends the attempt and its group."""
        during = self._task.during(self._done) if self._task else None
        note = memory_note(self._task, during) if self._task and during and failed.kind == "memory" else None
        failure = Failure(
            trial=self._trial,
            kind=failed.kind,
            message=f"{failed.message} ({note})" if note else failed.message,
            traceback=failed.traceback,
            log=layout.worker_log(self._study, self._trial, failed.rank or 0),
            ts=int(time.time() * 1000),
            attempt=self._task.attempt if self._task else 1,
            during=during,
            rank=failed.rank,
            host=failed.host or socket.gethostname(),
            node_id=failed.node_id or ray.get_runtime_context().get_node_id(),
            gpu=failed.gpu,
        )
        is_unlogged = self._group is None  # no worker was there to write to the log that the failure names
        self._drop_group()
        try:
            if is_unlogged:
                self._log(failure)
            write(self._store, layout.trial_failure(self._study, self._trial), failure)
        except OSError as error:  # whoever is told of the failure records it, once storage can be written to
            print(f"the failure of {self._trial} was not recorded: {error}", file=sys.stderr, flush=True)
        raise TrialFailedError(failed.kind, failure.message)

    def _log(self, failure: Failure) -> None:
        with self._store.append(failure.log) as log:
            log.write(f"{failure.message}\n{failure.traceback}\n".encode())

    def _timeout_s(self) -> float:
        """Return the seconds that the next request to the group may take."""
        stages = self._task.stages if self._task else ()
        hang_timeout_s = max((stage.resources.hang_timeout_s for stage in stages), default=ALLOWANCE_S)
        return hang_timeout_s + (ALLOWANCE_S if self._first else 0.0)

    def _result(self, event: Started | AwaitsRoom | Progress) -> dict[str, Any]:
        """Make a report to Tune, with what a watchdog needs: this process, and when the next report is due."""
        timeout_s = self._timeout_s() + self._report_every_s - STEP_S
        if self._opened is None:
            timeout_s += ALLOWANCE_S  # the group has to start first
        if self._group is None or not self._group.is_own_process:
            timeout_s += CONDUCTOR_MARGIN_S
        return write_result(
            TuneResult(
                trial=self._trial,
                event=event,
                node_id=ray.get_runtime_context().get_node_id(),
                host=socket.gethostname(),
                pid=os.getpid(),
                process_started=psutil.Process().create_time(),
                oom_kills=count_oom_kills(),
                timeout_s=timeout_s,
            )
        )


def _read_task(store: Store, study: str, trial: str) -> TrialTask:
    task = read(store, layout.trial_task(study, trial), TrialTask)
    if task is None:
        raise FileNotFoundError(f"{layout.trial_task(study, trial)} must be written before the trial is handed out")
    return task
