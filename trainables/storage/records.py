"""What a trial leaves behind, as plain values: spool lines, results, failures, progress. No torch, no ray.

The spool is the only channel between workers and the tracking server: append-only JSON lines on storage, each complete
in itself (time and step included), so that replaying it twice changes nothing.
"""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict


class StageResult(TypedDict):
    """`stages/<key>/result.json`: written last, so its presence means that the stage is done."""

    key: str
    name: str
    steps: int
    modules: dict[str, str]
    """Trained module -> SHA-256 of its safetensors file."""
    final_loss: float | None
    diverged: bool
    """The loss became NaN or infinite: a result of the arm, not an error."""
    losses_digest: str
    """SHA-256 over the losses of all steps, in hex floats."""
    gpu_seconds: float
    """Wall seconds of the stage, all attempts, times its devices (CPU workers count where there is no GPU)."""
    samples_per_second: float
    mfu: NotRequired[float | None]
    """Model FLOPs utilisation over the whole stage; None on devices without a known peak."""
    counts: dict[str, int]
    """Realised records per source."""
    provenance: dict[str, str]
    """Versions, device, world size, micro-batch, ZeRO stage."""


class FeaturesResult(TypedDict):
    """`features/<key>/result.json`: written behind the features themselves."""

    key: str
    shape: list[int]
    """Images, positions, width."""
    gpu_seconds: float


class EvaluationResult(TypedDict):
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
    metrics: dict[str, float]
    """In 0-100 where `units` does not say otherwise."""
    units: dict[str, str]
    warnings: list[str]
    """What a reader of the metrics must know."""
    majority: float
    """Score, 0-100, of the best answer that is the same throughout."""
    constant: bool
    """The model gave one answer throughout."""
    gpu_seconds: float
    examples: str
    """Name on storage of the per-example Parquet: id, cluster, prediction, parsed, score."""


class TrialResult(TypedDict):
    """`studies/<study>/trials/<trial>/result.json`."""

    trial: str
    stages: list[str]
    """Stage keys, first to last."""
    evaluations: dict[str, str]
    """Benchmark id -> name on storage of its EvaluationResult."""
    diverged: bool
    cost: dict[str, float]
    """`gpu_seconds` spent by this trial, `gpu_seconds_alone` with all its stages, `wall_seconds`."""


class Failure(TypedDict):
    """`studies/<study>/trials/<trial>/failure.json`: failure is data."""

    trial: str
    kind: Literal["lost", "hung", "error", "memory", "killed"]
    message: str
    traceback: str
    log: str
    """Name on storage of the log to read."""
    ts: int


class Progress(TypedDict, total=False):
    """What the worker loop yields, and Tune reports: small, and safe to lose."""

    event: Literal["progress", "node_done", "trial_done"]
    node: str
    """Id of the node of the work graph that is being worked on, or has just been finished."""
    label: str
    """`finetune`, `evaluate easy-vqa-shape`, `features`: for people."""
    step: int
    steps: int
    loss: float | None
    rate: float
    """Samples per second."""
    eta_s: float
