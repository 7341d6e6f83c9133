"""Count the GPU-seconds that a study spends while a run goes on: of its own trials, and of other runs of the study."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from trainables.storage import layout
from trainables.storage.record_files import read_or_redo
from trainables.storage.records import TrialResult
from trainables.storage.store import Store

READ_EVERY_S = 30.0
"""Seconds between two looks at storage for what other runs of the study have spent."""


@dataclass
class _Running:
    devices: float
    since_s: float


class Spending:
    """GPU-seconds of one run. Workers count where there are no GPUs, as in the costs on storage.

    A trial that is done at once counts with the cost that it has written, an attempt that has failed or still runs with
    its seconds from the hand-out on. What a trial has cost includes what it kept of attempts that failed: these seconds
    count once. Not thread-safe, except `read_others`.

    Args:
        limit_s: GPU-seconds that may be spent; nothing is handed out beyond them.
        clock: seconds that pass.
        before_s: trial -> GPU-seconds of the result that it had when the run began, as far as it had one. They are part
            of the cost that it writes when it is done again, and none of this run.
    """

    def __init__(
        self,
        limit_s: float,
        clock: Callable[[], float] = time.monotonic,
        before_s: Mapping[str, float] = MappingProxyType({}),
    ):
        self.limit_s, self._clock, self._before_s = limit_s, clock, before_s
        self._ended_s, self._others_s = 0.0, 0.0
        self._running: dict[str, _Running] = {}
        self._failed_s: dict[str, float] = {}
        self._own: set[str] = set()
        self._read: dict[str, float] = {}

    @property
    def spent_s(self) -> float:
        """GPU-seconds that were spent until now."""
        now = self._clock()
        running_s = sum((now - each.since_s) * each.devices for each in self._running.values())
        return self._ended_s + self._others_s + running_s

    @property
    def own_s(self) -> float:
        """Those of them that this run has spent."""
        return self.spent_s - self._others_s

    @property
    def is_spent(self) -> bool:
        """Whether no trial may be handed out any more: what runs may turn out to have cost less than it took."""
        return self._ended_s + self._others_s >= self.limit_s

    def allows_one_more(self, expected_s: Callable[[], float]) -> bool:
        """Tell whether a trial may be handed out, beside what runs.

        Args:
            expected_s: estimates the GPU-seconds that the running trials take from now on.
        """
        return math.isinf(self.limit_s) or self.spent_s + expected_s() < self.limit_s

    def started(self, trial: str, devices: float) -> None:
        """Note that a trial was handed out."""
        self._own.add(trial)
        self._running[trial] = _Running(devices, self._clock())

    def done(self, trial: str, gpu_seconds: float) -> None:
        """Note what a trial has cost in all that is done."""
        last_s, failed_s = self._end(trial), self._failed_s.pop(trial, 0.0)
        gpu_seconds = max(0.0, gpu_seconds - self._before_s.get(trial, 0.0))
        self._ended_s += max(gpu_seconds, failed_s + min(gpu_seconds, last_s)) - failed_s

    def failed(self, trial: str) -> None:
        """Note that an attempt is over."""
        seconds = self._end(trial)
        self._failed_s[trial] = self._failed_s.get(trial, 0.0) + seconds
        self._ended_s += seconds

    def _end(self, trial: str) -> float:
        """Forget that a trial runs, and return the GPU-seconds since its hand-out; 0 where it does not run."""
        running = self._running.pop(trial, None)
        return 0.0 if running is None else (self._clock() - running.since_s) * running.devices

    def read_others(self, study: str, trials: Iterable[str], store: Store) -> None:
        """Read from storage what other runs of the study have spent on trials that had no result when this run began.

        Args:
            study: its name.
            trials: ids of these trials.
            store: the storage.
        """
        for trial in trials:
            if trial not in self._own and trial not in self._read:
                result = read_or_redo(store, layout.trial_result(study, trial), TrialResult)
                if result is not None:
                    self._read[trial] = result.cost.gpu_seconds
        self._others_s = sum(seconds for trial, seconds in list(self._read.items()) if trial not in self._own)
