"""What the replay asks of a tracking server, in words that no server knows: `tracking` speaks them to MLflow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

from orchestrator.reporting.summary import StudySummary
from search_spaces.plan import Plan, PlannedTrial
from trainables.storage.spool import DataUse

Status = Literal["RUNNING", "FINISHED", "FAILED", "KILLED"]


class TrackerAwayError(ConnectionError):
    """The server did not answer, or not now: the same request may succeed later."""


class TrackerRefusedError(ValueError):
    """The server answered that it will never take this."""


class Point(NamedTuple):
    """One value of a metric; `ts` in milliseconds since the epoch."""

    metric: str
    value: float
    ts: int
    step: int


class Tracker(Protocol):
    """What the uploader asks of a tracking server. Every method may raise `TrackerAwayError` or `TrackerRefusedError`.

    All of them may be repeated: runs are found before they are made, equal points and files replace themselves.
    """

    @property
    def server(self) -> str:
        """A short name of this server that can be part of a file name; another server has another."""

    def open_study(self, plan: Plan, documents: Mapping[str, str]) -> Sequence[str]:
        """Find or make the study's parent run and set it running. `documents`: artifact name -> text.

        Returns what a person should know, such as that the study goes by another name on this server.
        """

    def open_trial(self, trial: PlannedTrial, run: str | None, started: int) -> str:
        """Find or make the trial's run and return its id; `run` is where it was last time."""

    def log(self, run: str, points: Sequence[Point]) -> None: ...
    def annotate(self, run: str, params: Mapping[str, str], tags: Mapping[str, str]) -> None: ...
    def attach(self, run: str, name: str, content: str | Path) -> None: ...
    def link_data(self, run: str, data: Sequence[DataUse]) -> None: ...

    def offer_model(self, run: str, trial: PlannedTrial, checkpoints: Mapping[str, str]) -> None:
        """Make known where a finished trial's weights are. `checkpoints`: stage -> URI, the last one's is evaluated."""

    def set_status(self, run: str, status: Status, ts: int) -> None: ...

    def retire(self, run: str) -> None:
        """Take out of sight a run whose trial has been started anew on other data: the two are never mixed."""

    def unfinished(self) -> dict[str, str]:
        """Trial -> run, of the runs of the study's trials that are open, whether they are in the plan or not."""

    def show_progress(self, values: Mapping[str, float]) -> None:
        """`done`, `running`, `failed`, `pending` trials, `gpu_hours` of those that have ended, `eta_s` if known."""

    def show_summary(self, summary: StudySummary) -> None: ...

    def write_views(self) -> Sequence[str]:
        """Write the saved views for the metrics that are there. Returns what was left alone, and why."""

    def close_study(self, status: Status) -> None: ...
