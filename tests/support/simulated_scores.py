"""Scores of arms, seeds and images for tests of the statistics: simulated, or with planted shifts."""

from __future__ import annotations

from functools import cache

import numpy as np

from orchestrator.analysis.examples import Examples
from orchestrator.analysis.scores import Scores

Scored = dict[tuple[str, int], np.ndarray]


@cache
def example_names(n: int, per_image: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Name `n` examples and their images, `per_image` examples on each."""
    return tuple(f"q{i:05d}" for i in range(n)), tuple(f"i{i // per_image:05d}" for i in range(n))


def examples_of(scores: np.ndarray, per_image: int = 1) -> Examples:
    """Give scores, 0 to 1, the names of their examples and images."""
    return Examples(*example_names(len(scores), per_image), np.asarray(scores, dtype=float))


def scores_of(table: Scored, benchmark: str = "shape", per_image: int = 1) -> Scores:
    """Collect the scores of a table by arm and seed, all on one benchmark."""
    scores = Scores()
    for (arm, seed), values in table.items():
        scores.add(arm, seed, benchmark, examples_of(values, per_image))
    return scores


def simulated_scores(
    rng: np.random.Generator, n_arms: int, n_seeds: int, *, per_image: int, n_images: int = 100, effect: float = 0.0
) -> Scores:
    """Simulate arms that differ in nothing but, for the first alternative, `effect` points.

    Seeds vary by 1 point (sd) within an arm beside a seed effect that all share, images by about 0.7 points in a
    contrast, and every example has noise of its own.
    """
    seed_effect = rng.normal(0, 1, n_seeds)
    image_effect = rng.normal(0, 10, n_images)
    table: Scored = {}
    for arm in range(n_arms):
        arm_image = rng.normal(0, 5, n_images)
        for seed in range(n_seeds):
            image = 50 + seed_effect[seed] + rng.normal(0, 1) + image_effect + arm_image + rng.normal(0, 3, n_images)
            points = np.repeat(image, per_image) + rng.normal(0, 5, n_images * per_image) + (effect if arm == 1 else 0)
            table[f"arm{arm}", seed] = points / 100
    return scores_of(table, per_image=per_image)


def shifted_scores(shifts: dict[str, list[float]], n: int = 40) -> Scores:
    """Make arms that lie `shifts` points (one per seed) above one common set of scores, on every example alike."""
    common = np.random.default_rng(0).uniform(0.2, 0.8, n)
    table = {(arm, seed): common + shift / 100 for arm, values in shifts.items() for seed, shift in enumerate(values)}
    return scores_of(table)
