"""What a trial leaves behind, as plain values: spool lines, results, failures, progress. No torch, no ray.

The spool is the only channel between workers and the tracking server: append-only JSON lines on storage, each complete
in itself (time and step included), so that replaying it twice changes nothing.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, NotRequired, TypedDict


class DataUse(TypedDict):
    """One data source or benchmark that a trial has read."""

    name: str
    digest: str
    """SHA-256 of the content."""
    context: Literal["training", "evaluation"]
    tags: dict[str, str]
    """What was realised: `records.<stage>` and `share.<stage>`, or the number of `examples`."""


class SpoolLine(TypedDict):
    """One record. Exactly one of `metrics`, `params`, `tags`, `data`, `artifact`, `status` is there besides `ts`."""

    ts: int
    """Milliseconds since the epoch."""
    step: NotRequired[int]
    """Global optimizer step over all stages of the trial, of `system/` metrics the trial's seconds; only with
    `metrics`."""
    metrics: NotRequired[dict[str, float]]
    params: NotRequired[dict[str, str]]
    tags: NotRequired[dict[str, str]]
    data: NotRequired[list[DataUse]]
    artifact: NotRequired[dict[str, str]]
    """`name` (path in the run's artifacts) and `text`, or `name` and `path` (relative to the storage root)."""
    status: NotRequired[Literal["RUNNING", "FINISHED", "FAILED", "KILLED"]]


def is_of_machine(line: SpoolLine) -> bool:
    """Whether a record tells of the machine only. Such records say nothing of how far the trial is."""
    metrics = line.get("metrics", {})
    return bool(metrics) and all(name.startswith("system/") for name in metrics)


class Spool:
    """Append-only writer of one trial's spool; several attempts append to the same file."""

    def __init__(self, path: Path):
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("ab", buffering=0)
        if self._file.tell() and not _ends_with_newline(path):
            self._file.write(b"\n")  # a killed writer may leave half a line: close it, readers skip it

    def write(self, **fields: Any) -> None:
        """Append one record, in one system call; `ts` is filled in."""
        line = {"ts": int(time.time() * 1000), **fields}
        self._file.write(json.dumps(line, separators=(",", ":")).encode() + b"\n")

    def close(self) -> None:
        os.fsync(self._file.fileno())
        self._file.close()


def _ends_with_newline(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"


def read_spool(path: Path, offset: int = 0) -> Iterator[tuple[int, SpoolLine]]:
    """Complete records from a byte offset on, each with the offset behind it.

    A last line without its newline is still being written and is left for the next call; a line that is no JSON object
    was cut by a kill and is passed over.
    """
    with path.open("rb") as file:
        file.seek(offset)
        for raw in file:
            if not raw.endswith(b"\n"):
                return
            offset += len(raw)
            try:
                line = json.loads(raw)
            except ValueError:
                continue
            if isinstance(line, dict):
                yield offset, line  # type: ignore[misc]


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
