"""How far a tracking server is with one trial, which of its points are sent, and how the trial has ended."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

from orchestrator.tracking.tracker import Point, Status
from search_spaces.plan import Plan, PlannedTrial
from trainables.storage import layout
from trainables.storage.record_files import read
from trainables.storage.records import Failure, TrialResult
from trainables.storage.spool import SpoolLine
from trainables.storage.store import Store, get_json

POINTS_PER_METRIC = 2_500
"""A browser draws no more, and MLflow samples longer histories anyway. Metrics of longer trials are thinned to this."""


@dataclass
class Sieve:
    """Decides which points of a spool are sent; a function of the lines alone, however they are cut into batches.

    Points with a step: only steps beyond the last one sent, because a resumed trial repeats those behind its last
    checkpoint, and every `stride`-th of them; the last one is held until the trial ends. Points without a step are
    results: the newest value counts, and an equal one is not sent again.
    """

    stride: int = 1
    sent: dict[str, tuple[int, float]] = field(default_factory=dict)
    held: dict[str, Point] = field(default_factory=dict)

    def take(self, line: SpoolLine) -> list[Point]:
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
        """What was held back of metrics that go no further, so that each ends with its true last value."""
        points = list(self.held.values())
        self.sent.update({point.metric: (point.step, point.value) for point in points})
        self.held.clear()
        return points


@dataclass
class Position:
    """How far a server is with one trial: a file on storage, one per server and trial."""

    run: str | None = None
    born: int | None = None
    """Time of the spool's first line. Another one means another spool, hence other work under the same trial id."""
    offset: int = 0
    last_ts: int = 0
    status: Status = "RUNNING"
    ended: int | None = None
    """Time of the ending (result or failure) that has been recorded."""
    non_finite: str | None = None
    sieve: Sieve = field(default_factory=Sieve)
    nodes: dict[str, int] = field(default_factory=dict)
    """Name of another node's spool -> offset in it."""

    def copy(self) -> Position:
        sieve = replace(self.sieve, sent=dict(self.sieve.sent), held=dict(self.sieve.held))
        return replace(self, sieve=sieve, nodes=dict(self.nodes))

    @staticmethod
    def load(store: Store, name: str) -> Position:
        stored = get_json(store, name)
        if stored is None:
            return Position()
        sieve = stored.pop("sieve")
        return Position(
            **stored,
            sieve=Sieve(
                sieve["stride"],
                {metric: (step, value) for metric, (step, value) in sieve["sent"].items()},
                {metric: Point(*point) for metric, point in sieve["held"].items()},
            ),
        )


@dataclass(frozen=True)
class Ending:
    """How a trial ended, as storage says; the newer one where there are a result and a failure."""

    status: Status
    ts: int
    failure: Failure | None = None
    diverged: bool = False
    stages: tuple[str, ...] = ()
    """Keys of its stages, where it has a result."""
    gpu_seconds: float = 0.0


def read_ending(store: Store, study: str, trial: str) -> Ending | None:
    """None while the trial has neither a result nor a failure."""
    endings = []
    result = read(store, layout.trial_result(study, trial), TrialResult)
    if result is not None:
        written = int(store.path(layout.trial_result(study, trial)).stat().st_mtime * 1000)
        endings.append(Ending("FINISHED", written, None, result.diverged, result.stages, result.cost.gpu_seconds))
    failure = read(store, layout.trial_failure(study, trial), Failure)
    if failure is not None:
        endings.append(Ending("KILLED" if failure.kind == "killed" else "FAILED", failure.ts, failure=failure))
    return max(endings, key=lambda ending: ending.ts, default=None)


def stride_of(trial: PlannedTrial, plan: Plan) -> int:
    """Every how many steps a point is sent, so that a metric has about `POINTS_PER_METRIC`; 1 while unknown."""
    steps = sum(node.steps or 0 for node in trial.stage_nodes(plan))
    return max(1, math.ceil(steps / POINTS_PER_METRIC))
