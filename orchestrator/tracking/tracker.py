"""Define what the replay asks of a tracking server, whichever server it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Literal, NamedTuple, Protocol

from orchestrator.reporting.summary import StudySummary
from search_spaces.plan import Plan, PlannedTrial
from trainables.storage.spool import DataUse

Status = Literal["RUNNING", "FINISHED", "FAILED", "KILLED"]


class TrackerAwayError(ConnectionError):
    """The server did not answer, or not now: the same request may succeed later, by itself."""


class TrackerDeniedError(PermissionError):
    """The server takes nothing from this client until a person changes something.

    It asks for a password, forbids, is read-only, or is no tracking server. Nothing is lost: all may be sent later.
    """


class TrackerRefusedError(ValueError):
    """The server does not take this, but takes other things.

    Args:
        message: what it says.
        cause: what refusals of one reason have in common, to count them.
        passing: whether it may take the same later.
    """

    def __init__(self, message: str, *, cause: str = "", passing: bool = False):
        super().__init__(message)
        self.cause, self.passing = cause or message, passing


class TrackerGoneError(TrackerRefusedError):
    """What was to be written to is not on the server any more: a run or an experiment that somebody has deleted."""


NONE: Mapping[str, str] = MappingProxyType({})
"""No parameters, or no tags."""


class Point(NamedTuple):
    """One value of a metric; `ts` in milliseconds since the epoch."""

    metric: str
    value: float
    ts: int
    step: int


class Tracker(Protocol):
    """What the uploader asks of a tracking server. Every method may raise the errors above.

    All of them may be repeated: runs are found before they are made, equal points and files replace themselves.
    """

    @property
    def server(self) -> str:
        """Return a short name of this server that can be part of a file name; another server has another."""

    def open_study(self, plan: Plan) -> Sequence[str]:
        """Find or make the study's parent run and set it running.

        Returns what a person should know, such as that the study goes by another name on this server.
        """

    def open_trial(self, trial: PlannedTrial, run: str | None, started: int) -> str:
        """Find or make the trial's run and return its id.

        Args:
            trial: the trial.
            run: id of its run as last known.
            started: milliseconds since the epoch, for a run that is made.
        """

    def log(
        self, run: str, points: Sequence[Point], params: Mapping[str, str] = NONE, tags: Mapping[str, str] = NONE
    ) -> None:
        """Add points to the histories of metrics, parameters, which are never changed, and tags: the newest counts.

        All of it is one request. Where it is refused, parts of it may have been taken.

        Args:
            run: its id.
            points: of its metrics.
            params: name -> value.
            tags: name -> value.
        """

    def attach(self, run: str | None, files: Mapping[str, str | Path]) -> None:
        """Attach files to a run. A store of files that takes none is a refusal, and never an outage.

        Where one is refused, others may have been taken.

        Args:
            run: its id; None for the study's own.
            files: name, with folders -> text of the file, or where it is.
        """

    def link_data(self, run: str, data: Sequence[DataUse]) -> None:
        """Name the data that a run has used, with their digests."""

    def offer_model(self, run: str, trial: PlannedTrial, checkpoints: Mapping[str, str]) -> None:
        """Make known where a finished trial's weights are. `checkpoints`: stage -> URI, the last one's is evaluated."""

    def set_status(self, run: str, status: Status, ts: int) -> None:
        """Say how a run is. `ts`: since when, in milliseconds since the epoch."""

    def retire(self, run: str) -> None:
        """Take out of sight a run whose trial has been started anew on other data: the two are never mixed."""

    def unfinished(self) -> dict[str, str]:
        """Return trial -> run, of the study's trials whose runs are open, whether they are in the plan or not."""

    def show_progress(self, values: Mapping[str, float]) -> None:
        """Show `done`, `running`, `failed`, `pending` trials, `gpu_hours` of those that ended, `eta_s` if known."""

    def show_summary(self, summary: StudySummary) -> None:
        """Show what the finished trials say: numbers of arms, sentences, the scores of this version of the study."""

    def write_views(self) -> Sequence[str]:
        """Write the saved views for the metrics that are there. Returns what was left alone, and why."""

    def close_study(self, status: Status) -> None:
        """Give the study's run its last status."""
