"""The records that a trial leaves on storage: results, scores, failures. No torch, no ray.

Each is a frozen dataclass and one JSON file, read and written by `trainables.storage.record_files` alone, which says
what holds for files of other versions of this program and for damaged ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from search_spaces.outcomes import FailureKind


@dataclass(frozen=True)
class StageResult:
    """`stages/<key>/result.json`: written last, so its presence means that the stage is done."""

    key: str
    name: str
    steps: int
    modules: Mapping[str, str]
    """Trained module -> SHA-256 of its safetensors file."""
    final_loss: float | None
    diverged: bool
    """The loss became NaN or infinite: a result of the arm, not an error."""
    losses_digest: str
    """SHA-256 over the losses of all steps, in hex floats."""
    gpu_seconds: float
    """Wall seconds of the stage, all attempts, times its devices (CPU workers count where there is no GPU)."""
    samples_per_second: float
    counts: Mapping[str, int]
    """Realised records per source."""
    provenance: Mapping[str, str]
    """Versions, device, world size, micro-batch, ZeRO stage."""
    mfu: float | None = None
    """Model FLOPs utilisation over the whole stage; None on devices without a known peak."""


@dataclass(frozen=True)
class Curve:
    """`stages/<key>/curve.json`: what a trial that shares the stage shows of it."""

    curve: tuple[tuple[int, float, float], ...]
    """Step, loss and learning rate of every logged step."""


@dataclass(frozen=True)
class FeaturesResult:
    """`features/<key>/result.json`: written after the features themselves."""

    key: str
    shape: tuple[int, ...]
    """Images, positions, width."""
    gpu_seconds: float


@dataclass(frozen=True)
class EvaluationResult:
    """`evaluations/<key>/<benchmark>.json`."""

    key: str
    asked: str
    """Key of the question alone (`search_spaces.identity.benchmark_key`): data, selection, protocol."""
    benchmark: str
    protocol: str
    n: int
    unparsable: int
    points: float
    """100 x the mean score per example: what arms are compared in."""
    headline: str
    """The metric that people quote of this benchmark."""
    metrics: Mapping[str, float]
    """In 0-100 where `units` does not say otherwise."""
    units: Mapping[str, str]
    warnings: tuple[str, ...]
    """What a reader of the metrics must know."""
    majority: float
    """Score, 0-100, of the best answer that is the same throughout."""
    constant: bool
    """The model gave one answer throughout."""
    gpu_seconds: float
    examples: str
    """Name on storage of the per-example Parquet: id, cluster, prediction, parsed, score."""


@dataclass(frozen=True)
class Cost:
    """What a trial has cost, in seconds."""

    gpu_seconds: float
    """Spent by this trial itself."""
    gpu_seconds_alone: float
    """With all its stages and features, whoever produced them."""
    wall_seconds: float


@dataclass(frozen=True)
class TrialResult:
    """`studies/<study>/trials/<trial>/result.json`."""

    trial: str
    stages: tuple[str, ...]
    """Stage keys, first to last."""
    evaluations: Mapping[str, str]
    """Benchmark id -> name on storage of its EvaluationResult."""
    diverged: bool
    cost: Cost


@dataclass(frozen=True)
class Failure:
    """`studies/<study>/trials/<trial>/failure.json`: failure is data."""

    trial: str
    kind: FailureKind
    message: str
    traceback: str
    log: str
    """Name on storage of the log to read."""
    ts: int
