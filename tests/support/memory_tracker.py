"""A tracking server in memory, which can be away."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from orchestrator.reporting.summary import StudySummary
from orchestrator.tracking.tracker import NONE, Point, Status, TrackerAwayError, TrackerRefusedError
from search_spaces.plan import Plan, PlannedTrial
from trainables.storage.spool import DataUse


class MemoryTracker:
    """A server that behaves as MLflow does: equal points are one, runs are found by their trial."""

    server = "memory"

    def __init__(self) -> None:
        self.runs: dict[str, str] = {}
        self.points: dict[str, set[Point]] = defaultdict(set)
        self.tags: dict[str, dict[str, str]] = defaultdict(dict)
        self.files: dict[str, dict[str, str | Path]] = defaultdict(dict)
        self.status: dict[str, Status] = {}
        self.study: Status | None = None
        self.counts: dict[str, float] = {}
        self.data: dict[str, list[DataUse]] = defaultdict(list)
        self.models: dict[str, dict[str, str]] = {}
        self.summary: StudySummary | None = None
        self.views_written = 0
        self.retired: list[str] = []
        self.away = False
        self.requests = 0

    def _request(self) -> None:
        self.requests += 1
        if self.away:
            raise TrackerAwayError("connection refused")

    def open_study(self, plan: Plan) -> list[str]:
        self._request()
        self.study = "RUNNING"
        return []

    def open_trial(self, trial: PlannedTrial, run: str | None, started: int) -> str:
        self._request()
        if trial.id not in self.runs:
            self.runs[trial.id] = f"run{len(self.status)}-{self.requests}"
            self.status[self.runs[trial.id]] = "RUNNING"
        return self.runs[trial.id]

    def log(
        self, run: str, points: Sequence[Point], params: Mapping[str, str] = NONE, tags: Mapping[str, str] = NONE
    ) -> None:
        self._request()
        if run not in self.status or any(point.metric == "refused" for point in points):
            raise TrackerRefusedError("no such run, or no such name")
        self.points[run] |= set(points)
        self.tags[run] |= tags

    def attach(self, run: str | None, files: Mapping[str, str | Path]) -> None:
        self._request()
        self.files[run or "study"] |= files

    def link_data(self, run: str, data: Sequence[DataUse]) -> None:
        self._request()
        self.data[run] += data

    def offer_model(self, run: str, trial: PlannedTrial, checkpoints: Mapping[str, str]) -> None:
        self._request()
        self.models[run] = dict(checkpoints)

    def set_status(self, run: str, status: Status, ts: int) -> None:
        self._request()
        self.status[run] = status

    def retire(self, run: str) -> None:
        self.retired.append(run)
        self.runs = {trial: other for trial, other in self.runs.items() if other != run}

    def unfinished(self) -> dict[str, str]:
        self._request()
        return {trial: run for trial, run in self.runs.items() if self.status[run] == "RUNNING"}

    def show_progress(self, values: Mapping[str, float]) -> None:
        self._request()
        self.counts = dict(values)

    def show_summary(self, summary: StudySummary) -> None:
        self._request()
        self.summary = summary

    def write_views(self) -> list[str]:
        self._request()
        self.views_written += 1
        return []

    def close_study(self, status: Status) -> None:
        self._request()
        self.study = status

    def steps(self, trial: str, metric: str) -> list[int]:
        return sorted(point.step for point in self.points[self.runs[trial]] if point.metric == metric)

    def values(self, trial: str, metric: str) -> list[float]:
        newest_last = sorted(self.points[self.runs[trial]], key=lambda point: point.ts)
        return [point.value for point in newest_last if point.metric == metric]
