"""What arms answer without their images, and what that leaves of an effect, as plain data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class BlindScore:
    """Mean scores of one arm on one benchmark, in points, over the seeds that have the first two of them."""

    arm: str
    own: float
    """With the questions' own images."""
    blank: float
    swapped: float | None
    """None where no seed was asked with swapped images."""
    seeds: tuple[int, ...]

    @property
    def share(self) -> float | None:
        """Share of the score that needs no image; None where the arm scores nothing."""
        return self.blank / self.own if self.own else None


@dataclass(frozen=True)
class BlindBenchmark:
    """What arms answer on one benchmark with and without its images."""

    benchmark: str
    arms: tuple[BlindScore, ...]
    """In plan order; at least one."""
    best: str
    """The arm with the highest score with its own images, the first of equals."""

    @property
    def of_best(self) -> BlindScore:
        return next(score for score in self.arms if score.arm == self.best)


GainSource = Literal["visual", "partly-visual", "language-prior", "open"]
"""Where a difference comes from: from what is in the images, from what is known without them, or that is open."""


@dataclass(frozen=True)
class BlindEffect:
    """What is left of an effect when no arm sees the images, in points; None where it is not known."""

    without_images: float | None
    """The effect with a blank image in the place of each."""
    without_images_interval: tuple[float, float] | None
    images_add: float | None
    """The effect with images minus that without."""
    images_add_interval: tuple[float, float] | None
    source: GainSource | None
    """Only of a difference that is shown (`better`, `worse`)."""
    sentence: str
    """Plain words, with the numbers; or why they are not known."""
