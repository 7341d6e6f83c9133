"""Assume before a run what nobody knows: how far two arms differ on single questions, and how much images matter."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.analysis.looks import Looks
from orchestrator.analysis.plan_knowledge import Size
from orchestrator.analysis.power import Design
from orchestrator.analysis.rule import ALPHA
from search_spaces.study import Spending

DISCORDANT = (0.05, 0.20)
"""Share of questions that two arms answer with different success, where nothing is known: a range."""
IMAGE_CORRELATION = 0.1
"""Of the differences on questions about one image, where nothing is known."""


@dataclass(frozen=True)
class Assumptions:
    """What is assumed of a hypothesis before it runs. Variances are in points squared."""

    sd: float
    """Standard deviation over seeds of an arm's mean, in points."""
    image_variance: float
    """Of the difference of two arms, by the choice of images."""
    square_weights: float = 2.0
    """Sum of the squared weights of its arms: 2 for the difference of two."""
    n_arms: int = 2
    """Of the study."""
    n_hypotheses: int = 1
    """Declared together."""
    is_seed_sd_assumed: bool = False
    """Whether the study declares the spread."""
    looks: tuple[int, ...] = ()
    """Numbers of seeds at which results will be looked at, as declared."""
    spending: Spending = "obrien-fleming"

    def design(self, n_seeds: int) -> Design:
        """Make the design with so many seeds of every arm."""
        return Design(
            n_seeds=n_seeds,
            df_pooled=max(self.n_arms - 1, 1) * (n_seeds - 1),
            seed_variance=self.square_weights * self.sd**2,
            image_variance=self.square_weights / 2 * self.image_variance,
            n_hypotheses=self.n_hypotheses,
            is_seed_sd_assumed=self.is_seed_sd_assumed,
            look_share=Looks.declared(self.looks, n_seeds, self.spending).level(ALPHA) / ALPHA if self.looks else 1.0,
        )


def image_variance(sizes: Sequence[Size], discordant: float) -> float:
    """Compute the variance of the difference of two arms, in the mean over benchmarks, by the choice of images."""
    return sum(_error(n, images, discordant) ** 2 for n, images in sizes) / len(sizes) ** 2


def _error(n: int, images: int | None, discordant: float) -> float:
    """Compute the standard error in points of the difference of two arms on one benchmark, by its examples.

    sd of a difference of 0/1 scores is the root of the share that differs; questions about one image count less:
    design effect 1 + (m - 1) x correlation, m questions to an image.
    """
    per_image = max(n / images, 1.0) if images else 1.0
    return 100 * math.sqrt(discordant * (1 + (per_image - 1) * IMAGE_CORRELATION) / n)
