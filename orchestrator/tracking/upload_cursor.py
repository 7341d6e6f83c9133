"""Keep how far a tracking server is with one trial, and which of its points are sent."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

from orchestrator.tracking.tracker import Point, Status
from search_spaces.plan import Plan, PlannedTrial
from trainables.storage import layout
from trainables.storage.record_files import read_or_redo, write
from trainables.storage.spool import SpoolLine
from trainables.storage.store import Store

POINTS_PER_METRIC = 2_500
"""A browser draws no more, and MLflow samples longer histories anyway. Metrics of longer trials are thinned to this."""


@dataclass
class PointFilter:
    """A filter of the points of a spool that are sent: a function of the lines alone, whatever batches they come in.

    Points with a step: only steps beyond the last one sent, because a resumed trial repeats those after its last
    checkpoint, and every `stride`-th of them; the last one is held until the trial ends. Points without a step are
    results: the newest value counts, and an equal one is not sent again.
    """

    stride: int = 1
    sent: dict[str, tuple[int, float]] = field(default_factory=dict)
    held: dict[str, Point] = field(default_factory=dict)

    def take(self, line: SpoolLine) -> list[Point]:
        """Return those points of a line that are sent."""
        points = []
        for metric, value in line.get("metrics", {}).items():
            point = Point(metric, float(value), line["ts"], line.get("step", 0))
            if self._passes(point, has_step="step" in line):
                self.sent[metric] = (point.step, point.value)
                if metric in self.held and self.held[metric].step <= point.step:
                    del self.held[metric]
                points.append(point)
        return points

    def _passes(self, point: Point, has_step: bool) -> bool:
        if point.metric not in self.sent:
            return True
        step, value = self.sent[point.metric]
        if point.step == step:  # a result that was measured again, or the last step repeated by a resume
            return not (point.value == value or (math.isnan(point.value) and math.isnan(value)))
        if has_step and step < point.step < step + self.stride:
            if point.metric not in self.held or self.held[point.metric].step < point.step:
                self.held[point.metric] = point
            return False
        return point.step > step

    def flush(self) -> list[Point]:
        """Return what was held back of metrics that go no further, so that each ends with its true last value."""
        points = list(self.held.values())
        self.sent.update({point.metric: (point.step, point.value) for point in points})
        self.held.clear()
        return points


@dataclass
class UploadCursor:
    """How far a server is with one trial: a file on storage, one per server and trial."""

    run: str | None = None
    born: int | None = None
    """Time of the spool's first line. Another one means another spool, hence other work under the same trial id."""
    offset: int = 0
    """Bytes of the trial's own spool that the server has."""
    last_ts: int = 0
    """Time of the last line sent, but for those of the machine."""
    status: Status = "RUNNING"
    ended: int | None = None
    """Time of the ending (result or failure) that has been recorded."""
    tagged: int | None = None
    """Time of the ending whose tags the run has: they are sent with the last line, and recorded after it."""
    has_failed: bool = False
    """Whether the ending recorded last, maybe by an earlier session, is a failure: its tags are in the run."""
    non_finite: str | None = None
    """The first value that was no number."""
    sieve: PointFilter = field(default_factory=PointFilter)
    nodes: dict[str, int] = field(default_factory=dict)
    """Name of another node's spool -> offset in it."""
    unsent: bool = False
    """Whether something was not taken that may be taken later: the next session then sends all of the trial again."""

    @property
    def known_run(self) -> str:
        if self.run is None:
            raise ValueError("a cursor has a run before anything is sent for it")
        return self.run

    def copy(self) -> UploadCursor:
        sieve = replace(self.sieve, sent=dict(self.sieve.sent), held=dict(self.sieve.held))
        return replace(self, sieve=sieve, nodes=dict(self.nodes))


def load_cursor(store: Store, server: str, study: str, trial: str) -> UploadCursor:
    """Read how far a server is with a trial; from the start if that is not known, or the file is damaged.

    Args:
        store: the storage.
        server: short name of the server (`Tracker.server`).
        study: name of the study.
        trial: id of the trial.
    """
    return read_or_redo(store, layout.upload_offset(server, study, trial), UploadCursor) or UploadCursor()


def save_cursor(store: Store, server: str, study: str, trial: str, cursor: UploadCursor) -> None:
    """Keep how far a server is with a trial; the arguments are those of `load_cursor`."""
    write(store, layout.upload_offset(server, study, trial), cursor)


def stride_of(trial: PlannedTrial, plan: Plan) -> int:
    """Return every how many steps a point is sent, so that a metric has about `POINTS_PER_METRIC`; 1 while unknown."""
    steps = sum(node.steps or 0 for node in trial.stage_nodes(plan))
    return max(1, math.ceil(steps / POINTS_PER_METRIC))
