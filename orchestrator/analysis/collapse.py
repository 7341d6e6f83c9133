"""Seeds with which a training run collapses: its score lies far below those of the arm's other seeds.

The mean of three seeds, one of which collapsed, is known no better than its wide interval says; where no seed happened
to collapse, the interval is narrow, and whether the next one will is not known. So a collapse is named.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import dataclass

_LEAST_GAP = 5.0
"""Points below the next seed that are too many for the usual spread."""
_TIMES_THE_REST = 4.0
"""The gap must also be so many times the range of the other seeds."""


@dataclass(frozen=True)
class Collapse:
    """A seed that scores far below the arm's others."""

    arm: str
    seed: int
    points: float
    others: tuple[float, float]
    """Lowest and highest of the other seeds."""
    median: float

    @property
    def sentence(self) -> str:
        """State the collapse in words."""
        low, high = self.others
        return (
            f"{self.arm} collapsed with seed {self.seed}: {self.points:.1f} points where its other seeds have "
            f"{low:.1f} to {high:.1f} (median {self.median:.1f})"
        )


def find_collapses(arm: str, points: Mapping[int, float]) -> list[Collapse]:
    """Find the lowest seed of an arm where it lies far below the others; at least three seeds are needed to tell.

    Args:
        arm: its name.
        points: seed -> score.
    """
    if len(points) < 3:
        return []
    seed = min(points, key=lambda number: points[number])
    others = [score for number, score in points.items() if number != seed]
    low, high = min(others), max(others)
    if low - points[seed] <= max(_LEAST_GAP, _TIMES_THE_REST * (high - low)):
        return []
    return [Collapse(arm, seed, points[seed], (low, high), statistics.median(points.values()))]
