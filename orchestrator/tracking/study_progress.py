"""Show on a tracking server how far a study is, and what its finished trials show."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from orchestrator.reporting.summary import summarize
from orchestrator.state.status import study_status
from orchestrator.tracking.endings import Ending
from orchestrator.tracking.sender import Sender
from orchestrator.tracking.tracker import Tracker
from search_spaces.error_text import named_message
from search_spaces.errors import InputError
from search_spaces.plan import Plan
from search_spaces.study import Study
from trainables.storage.store import Store

PROGRESS_EVERY_S = 60.0
"""Between two looks at how long the study will take, where nothing has started or ended."""

SHOWING_SHARE = 0.05
"""Progress and summary are made anew only so often that making them takes no larger share of the time."""


@dataclass(frozen=True)
class TrialProgress:
    """How far a trial is, for the counts of its study."""

    ending: Ending | None
    """None too once it has been taken up again."""
    is_running: bool


class StudyProgress:
    """Shows counts and a summary when they change, but not so often that making them costs much time.

    Args:
        tracker: the server, on which the study is open when something is shown.
        store: the storage.
        study: with its claims, for the summary.
        plan: of the study.
        sender: counts what the server does not take.
    """

    def __init__(self, tracker: Tracker, store: Store, study: Study, plan: Plan, sender: Sender):
        self._tracker, self._store, self._study, self._plan = tracker, store, study, plan
        self._sender = sender
        self.counts: dict[str, int] = {}
        """`done`, `running`, `failed` and `pending` trials as last shown; empty before."""
        self._summarized: dict[str, int] = {}
        self._next_look = self._next_summary = 0.0

    def show_counts(self, trials: Sequence[TrialProgress], *, at_once: bool = False) -> None:
        """Show how many trials are where. `at_once`: even if nothing has changed."""
        began = time.monotonic()
        counts = _count(trials)
        if counts == self.counts and not at_once and began < self._next_look:
            return
        spent = sum(trial.ending.gpu_seconds for trial in trials if trial.ending is not None)
        values: dict[str, float] = {**counts, "gpu_hours": spent / 3600}
        if not counts["running"]:
            values["eta_s"] = 0.0
        elif began >= self._next_look and (eta_s := self._eta_s()) is not None:
            values["eta_s"] = eta_s
        self._sender.attempt("view", "progress of the study", partial(self._tracker.show_progress, values))
        self.counts = counts
        took = time.monotonic() - began
        self._next_look = max(self._next_look, time.monotonic() + max(PROGRESS_EVERY_S, took / SHOWING_SHARE))

    def show_summary(self, endings: Mapping[str, Ending | None], *, at_once: bool = False) -> None:
        """Show what the finished trials show, whenever there are more of them.

        Args:
            endings: trial -> how it ended, as last read.
            at_once: however long the last summary took.
        """
        finished = {trial: ending.ts for trial, ending in endings.items() if ending and ending.status == "FINISHED"}
        began = time.monotonic()
        if finished == self._summarized or (began < self._next_summary and not at_once):
            return
        self._send_summary()
        self._summarized = finished
        self._next_summary = time.monotonic() + (time.monotonic() - began) / SHOWING_SHARE

    def _send_summary(self) -> None:
        """Send every part of the summary that can be made: one that fails never stops the others."""
        try:
            summary = summarize(self._study, self._plan, self._store)
        except Exception as error:  # a broken file on storage, or a defect: records go on, and it is said
            self._sender.unsent.add("view", "summary of the study", _words(error))
            return
        for name, problem in summary.problems.items():
            self._sender.unsent.add("view", name, problem)
        self._sender.attempt("view", "summary of the study", partial(self._tracker.show_summary, summary))
        self._sender.attach(None, summary.documents)

    def _eta_s(self) -> float | None:
        try:
            return study_status(self._plan, self._store).eta_s
        except InputError as error:  # a broken file on storage: whoever runs the study is told, records go on
            self._sender.unsent.add("view", "progress of the study", str(error))
            return None


def _words(error: Exception) -> str:
    return str(error) if isinstance(error, InputError) else named_message(error)


def _count(trials: Sequence[TrialProgress]) -> dict[str, int]:
    statuses = [trial.ending.status if trial.ending is not None else None for trial in trials]
    done, failed = statuses.count("FINISHED"), statuses.count("FAILED")
    running = sum(trial.is_running for trial in trials)
    return {"done": done, "running": running, "failed": failed, "pending": len(trials) - done - running - failed}
