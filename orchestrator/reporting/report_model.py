"""The report of a study as plain data: what was asked, what is there, what it shows, and how it came about.

Every view is a function of this and of nothing else, so equal reports give equal bytes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from orchestrator.analysis.effects import Estimate
from orchestrator.analysis.plan_power import HypothesisPower
from orchestrator.analysis.prior_rows import Prior
from orchestrator.analysis.signal import Signal
from orchestrator.analysis.verdict_model import Verdicts
from orchestrator.reporting.disagreements import Sample
from orchestrator.reporting.open_prompts import OpenSample
from orchestrator.reporting.provenance import Provenance
from orchestrator.reporting.questions import BenchmarkQuestions
from orchestrator.reporting.training import LossCurve, StageSettings
from orchestrator.state.ledger import TrialState
from search_spaces.plan import NodeKind
from search_spaces.quantities import Device
from trainables.storage.records import RunForecast, RunUsage

Absence = Literal["diverged", "failed", "running", "changed", "half-done", "pending", "unreadable"]
Mark = Literal["higher", "lower"]


@dataclass(frozen=True)
class Column:
    """One benchmark of the table."""

    benchmark: str
    protocol: str
    n_examples: int | None
    """None while nothing is scored, or where arms were scored on unequal numbers."""
    best_reachable: float | None = None
    """What a perfect model gets, in points; None where no result says so."""


@dataclass(frozen=True)
class Cell:
    """One arm on one benchmark, or in the mean over all. Scores are in points."""

    estimate: Estimate | None
    """None where no seed has scores, or none that may be averaged (`refused`)."""
    absent: dict[int, Absence]
    """Planned seeds without a score -> why."""
    by_seed: dict[int, float]
    no_signal: tuple[int, ...] = ()
    """Seeds without a signal: all where the arm shows none, else those whose answers are all the same, or mostly could
    not be read."""
    unread: str | None = None
    """How many answers could not be read, where they are more than a tenth."""
    unparsable: dict[int, float] = field(default_factory=dict)
    """Seed -> share of its answers that could not be read, 0 to 1; of several benchmarks the mean."""
    signal: Signal | None = None
    """What the arm shows here against what needs no image; None in the mean, and where that is not known."""
    is_best: bool = False
    refused: str | None = None
    mark: Mark | None = None
    """Clearly higher or lower than the base here (`Difference.is_clear`)."""

    @property
    def unread_share(self) -> float:
        """Mean share of answers that could not be read, 0 to 1."""
        return sum(self.unparsable.values()) / max(len(self.unparsable), 1)

    @property
    def is_silent(self) -> bool:
        """Whether no seed shows a signal."""
        return bool(self.no_signal) and set(self.no_signal) >= set(self.by_seed)


@dataclass(frozen=True)
class Row:
    arm: str
    values: dict[str, str]
    """Axis -> label."""
    seeds: tuple[int, ...]
    cells: tuple[Cell, ...]
    """In the order of the columns."""
    mean: Cell

    @property
    def has_signal(self) -> bool:
        """Whether a signal is shown on some benchmark, or is not known to be missing on all."""
        scored = [cell for cell in self.cells if cell.by_seed]
        return not scored or not all(cell.is_silent for cell in scored)


FEWEST_QUESTIONS = 10
"""A type of fewer questions is not shown: its interval would reach over most of the scale."""


@dataclass(frozen=True)
class TypeScores:
    """Scores of all arms on the questions of each type, for one way in which a benchmark sorts its questions.

    Where fewer than two types have enough questions there are no types, sizes, rows and priors, but only their number.
    """

    benchmark: str
    kind: str
    """What sorts them, in the words of the benchmark: `answer_type`, `structural`, `relation`."""
    types: tuple[str, ...]
    """Most questions first."""
    sizes: tuple[int, ...]
    """Questions of each type."""
    rows: tuple[Row, ...]
    """Arms in the order of the table, with a cell for each type; the mean is unweighted, over these types."""
    types_left_out: int
    """Types that are not shown: too few questions, or too many types."""
    priors: tuple[Prior, ...] = ()
    """What needs no image, on the questions of each type, lowest first; none where results know its mean alone."""


@dataclass(frozen=True)
class Difference:
    """One arm against the base, on one benchmark or in the mean over all of them (`benchmark` None)."""

    benchmark: str | None
    effect: float
    low: float
    high: float
    beside: tuple[float, float] | None
    """The interval with the spread over seeds pooled over the study's arms; to be seen, it decides nothing."""
    p: float
    p_adjusted: float
    is_clear: bool
    reason: str | None
    scope: str
    seeds: tuple[int, ...]
    n_examples: int
    n_images: int
    no_signal: bool
    """On this benchmark both models show no signal with some seed: an absent difference means nothing."""


@dataclass(frozen=True)
class Finding:
    """What one arm shows against the base."""

    label: str
    """The axis value, or the arm's name where it differs from the base in more than one axis."""
    arm: str
    mean: Difference | None
    benchmarks: tuple[Difference, ...]
    refused: tuple[str, ...]
    """Comparisons that were not made, and why."""
    conditions: tuple[str, ...]
    """In what its trials ran under other conditions than the base's: `device: cpu against H200`."""
    sentence: str = ""

    @property
    def main(self) -> Difference | None:
        """In the mean over all benchmarks, or on the only one there is."""
        return self.mean or (self.benchmarks[0] if len(self.benchmarks) == 1 else None)


@dataclass(frozen=True)
class AxisFindings:
    axis: str
    """Empty for arms that differ from the base in several axes, or in none."""
    base_value: str | None
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class AxisPoint:
    """One value of an axis, everything else as in the base."""

    label: str
    number: float | None
    """Where all labels of the axis are numbers of one unit."""
    arm: str
    is_base: bool


@dataclass(frozen=True)
class AxisCurve:
    """The values of an axis that have an arm, by their number, or else in file order."""

    axis: str
    points: tuple[AxisPoint, ...]

    @property
    def is_numeric(self) -> bool:
        return all(point.number is not None for point in self.points)


@dataclass(frozen=True)
class StageWork:
    """Work of one kind that the same arms need, once for each seed."""

    name: str
    kind: NodeKind
    depth: int
    """0 for what depends on nothing; work that follows stands below what it follows, one deeper."""
    arms: tuple[str, ...]
    n: int
    done: int
    steps: int | None
    """Of one of them; None where they differ, or are not known."""
    gpu_seconds: float
    """Of those with a result, together."""
    planned_gpu_seconds: float | None
    """What the plan estimates for those with a result, on the GPUs that trained them; None where no GPU did."""
    planned_on: tuple[str, ...]
    """Kinds of these GPUs, by their names in the catalogue; the plan's own where theirs is not known."""
    gpu_seconds_saved: float
    """What it would have cost on top if every trial had done it for itself."""


@dataclass(frozen=True)
class Sharing:
    """What running equal work once has saved."""

    stages_by_trial: int
    stages: int
    features_by_trial: int
    features: int
    gpu_seconds: float
    """Of the trials with a result, what each has spent itself: of what it has found on storage nothing."""
    gpu_seconds_alone: float
    """What the same results would have cost, had every trial with a result produced its own for itself."""
    by_device: dict[Device, float]
    """Seconds of all stages and scores on storage, each once, by what they are of: GPUs and cores are no sum. Caches of
    features come on top."""
    failed_attempts: int
    """Attempts that failed: what was lost with them is not counted."""


@dataclass(frozen=True)
class ArmCost:
    arm: str
    trials: int
    """Those with a result."""
    gpu_seconds: float
    gpu_seconds_alone: float
    wall_seconds: float
    is_pareto: bool
    """No other arm with scores is at least as good and as cheap (`hours_per_trial`), and better in one of them."""

    @property
    def hours_per_trial(self) -> float:
        """GPU-hours of one trial with all of its stages: the price of the recipe, not of what was left to do."""
        return self.gpu_seconds_alone / self.trials / 3600


@dataclass(frozen=True)
class ComparedRun:
    """A run, with what it was to take and what it has taken."""

    began: int
    """Milliseconds since the epoch."""
    forecast: RunForecast
    usage: RunUsage


@dataclass(frozen=True)
class FailedTrial:
    """A failed attempt of a trial."""

    trial: str
    kind: str
    message: str
    """First line."""
    log: str
    """Path."""
    where: str = ""
    """Rank, host and GPU, as far as they are known."""
    attempt: int = 1
    """Number of the attempt, from 1."""
    remedy: str = ""
    """What the next attempt did differently."""


@dataclass(frozen=True)
class Report:
    study: str
    question: str
    digest: str
    n_trials: int
    seeds: tuple[int, ...]
    counts: dict[TrialState, int]
    diverged: tuple[str, ...]
    verdicts: Verdicts
    power: tuple[HypothesisPower, ...]
    """What this design can decide, with what is known of the spread over seeds by now."""
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    types: tuple[TypeScores, ...]
    """Scores by type of question, where benchmarks have types and the prepared data are on storage."""
    priors: tuple[Prior, ...]
    """Lowest first."""
    base: str | None
    axes: tuple[AxisFindings, ...]
    curves: tuple[AxisCurve, ...]
    n_comparisons: int
    training: tuple[StageSettings, ...]
    """How the arms are trained."""
    losses: tuple[LossCurve, ...]
    work: tuple[StageWork, ...]
    sharing: Sharing
    costs: tuple[ArmCost, ...]
    runs: tuple[ComparedRun, ...]
    """Those that storage remembers, the oldest first."""
    device: Device
    """What the seconds of costs and work are of: GPUs, CPU cores, or workers with several cores each."""
    samples: tuple[Sample, ...]
    open_samples: tuple[OpenSample, ...]
    """Answers to the study's `samples`."""
    questions: tuple[BenchmarkQuestions, ...]
    """What the questions of each benchmark tell of the arms, where there are enough of these."""
    failures: tuple[FailedTrial, ...]
    """Of the trials that have failed, the last attempt of each."""
    tried_again: tuple[FailedTrial, ...]
    """Failed attempts that were followed by another one."""
    provenance: Provenance
    problems: tuple[str, ...]
    """Results that are on storage and could not be used."""
    excluded: tuple[tuple[str, str], ...]
    """Arm and reason."""
    removed: tuple[str, ...]
    superseded: tuple[str, ...]
    """Attempts that were set aside, because data or weights have changed since."""

    @property
    def has_results(self) -> bool:
        """Whether anything is scored, also where no mean can be estimated from it (`Cell.refused`), or has diverged."""
        return any(cell.by_seed for row in self.rows for cell in row.cells) or bool(self.diverged)

    def cells(self, row: Row) -> list[tuple[Cell, Column | None]]:
        """Cells of a row with their columns; first the mean, without one, where there are several benchmarks."""
        means: list[tuple[Cell, Column | None]] = [(row.mean, None)] if len(self.columns) > 1 else []
        return [*means, *zip(row.cells, self.columns, strict=True)]

    @property
    def findings(self) -> tuple[Finding, ...]:
        return tuple(finding for axis in self.axes for finding in axis.findings)
