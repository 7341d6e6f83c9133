"""What a stage has logged of its steps: for trials that share it, or go on from one of its checkpoints. No torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from trainables.storage import tracked_names
from trainables.storage.records import Curve

Point = tuple[int, dict[str, float]]
"""Step, from 0, and the metrics that were logged of it."""


@dataclass(frozen=True)
class Resumed:
    """Where a stage goes on, of which step checkpoints were found."""

    stage: str
    step: int
    """Optimizer steps that are done; 0 where none of the checkpoints could be used."""
    history: tuple[Point, ...]
    """Metrics of these steps."""
    passed_over: Mapping[str, str]
    """Newer checkpoint -> why it could not be used."""


def curve_of(history: Sequence[Point]) -> Curve:
    """Make the record of what a stage has logged."""
    points = ((step, metrics[tracked_names.TRAIN_LOSS], metrics[tracked_names.TRAIN_LR]) for step, metrics in history)
    return Curve(tuple(points), tuple(metrics for _, metrics in history))
