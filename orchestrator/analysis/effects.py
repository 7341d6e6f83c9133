"""Estimates of means and effects of arms from sums per image, with their intervals.

Images carry unequal numbers of examples, so their contributions to a mean are those of a ratio, linearised:
g_sc = (sum of the image's scores - number of its examples x mean of the seed) / number of examples. In a mean over
benchmarks the contributions of one image to all of them are added up before they are squared; so are, in a mean over
pairs, those of arms that several pairs share: an effect is one weighted sum of arms. `intervals` has the model.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from orchestrator.analysis.examples import Frame
from orchestrator.analysis.intervals import (
    OWN_SEEDS,
    CrossedInterval,
    Floats,
    ImagePart,
    Part,
    Pool,
    SeedSource,
    check_df,
    crossed_interval,
)
from orchestrator.analysis.verdict_model import Scope
from search_spaces.errors import InputError


@dataclass(frozen=True)
class Estimate:
    """The mean of an arm, or a difference of two, over the unweighted mean of its benchmarks."""

    value: float
    interval: CrossedInterval
    beside: CrossedInterval | None
    """The same with the other seed part; None where there is only one way."""
    scope: Scope
    """`recipe`: the choice was tested. `checkpoints`: these trained weights were, with one seed; only images vary."""
    seeds: tuple[int, ...]
    benchmarks: tuple[str, ...]
    n_examples: int
    n_images: int


@dataclass(frozen=True)
class Effect:
    """A weighted sum of arms whose weights add up to 0."""

    estimate: Estimate
    check: CrossedInterval | None
    """The interval with which a statement must hold as well; see `intervals.check_df`."""
    df_pooled: float
    """Of the spread pooled over the study's arms; 0 where there is none."""


@dataclass(frozen=True)
class Contrast(Effect):
    """Alternative - reference, paired by example and seed."""

    reference: str
    alternative: str


@dataclass(frozen=True, eq=False)
class ImageUnion:
    """The images of several benchmarks, those that they share counted once."""

    positions: tuple[NDArray[np.intp], ...]
    """Of each benchmark's images among all images."""
    size: int

    @staticmethod
    def of(frames: tuple[Frame, ...]) -> ImageUnion:
        """Number the images of these benchmarks."""
        index: dict[tuple[str, str], int] = {}
        positions = tuple(
            np.array([index.setdefault((frame.images, name), len(index)) for name in frame.clusters], dtype=np.intp)
            for frame in frames
        )
        return ImageUnion(positions, len(index))


def estimate_effect(
    sums: Sequence[Floats],
    frames: tuple[Frame, ...],
    union: ImageUnion,
    seeds: tuple[int, ...],
    weights: Sequence[float],
    pool: Pool | None,
    seed_sd: float | None,
) -> Effect:
    """Estimate a weighted sum of arms over the unweighted mean of benchmarks.

    Args:
        sums: of each benchmark the points on every image, seeds x images, weighted over the arms.
        frames: of each benchmark.
        union: of the images of `frames`.
        seeds: that all arms have, in the order of the rows of `sums`.
        weights: of the arms: a single 1 for the mean of an arm, else they add up to 0.
        pool: variation of the study's arms over seeds; None with a single seed.
        seed_sd: assumed standard deviation in points of one arm's mean over seeds, used where there is one seed.

    Raises:
        InputError: if a benchmark has a single image.
    """
    means = np.stack([column.sum(1) / frame.n for column, frame in zip(sums, frames, strict=True)])
    value = float(means.mean())
    images = _image_part(sums, means, frames, union)
    square_weights = sum(weight**2 for weight in weights)
    n_seeds = len(seeds)
    own = pooled = assumed = None
    if pool is not None:
        own = Part(float(means.mean(0).var(ddof=1)) / n_seeds, n_seeds - 1)
        pooled = pool.of_mean(n_seeds) if len(weights) == 1 else pool.of_effect(n_seeds, square_weights)
    elif seed_sd is not None:
        assumed = Part(square_weights * seed_sd**2, math.inf)
    parts: list[tuple[SeedSource, Part | None]] = [("own", own), ("pooled", pooled), ("assumed", assumed)]
    if n_seeds < OWN_SEEDS:
        parts = [parts[1], parts[0], parts[2]]
    intervals = [crossed_interval(value, part, images, source) for source, part in parts if part is not None]
    if not intervals:
        intervals = [crossed_interval(value, None, images, "none")]
    estimate = Estimate(
        value=value,
        interval=intervals[0],
        beside=intervals[1] if len(intervals) > 1 else None,
        scope="checkpoints" if intervals[0].seeds == "none" else "recipe",
        seeds=seeds,
        benchmarks=tuple(frame.benchmark for frame in frames),
        n_examples=sum(frame.n for frame in frames),
        n_images=union.size,
    )
    return Effect(estimate, _check(value, n_seeds, own, pooled, images), pooled.df if pooled is not None else 0)


def _check(
    value: float, n_seeds: int, own: Part | None, pooled: Part | None, images: ImagePart
) -> CrossedInterval | None:
    """Compute the interval that must agree with the first: that of the second of own and pooled (`check_df`)."""
    if own is None or pooled is None:
        return None
    second = pooled if n_seeds >= OWN_SEEDS else own
    source: SeedSource = "pooled" if n_seeds >= OWN_SEEDS else "own"
    return crossed_interval(value, Part(second.variance, check_df(n_seeds, pooled.df)), images, source)


def _image_part(sums: Sequence[Floats], means: Floats, frames: tuple[Frame, ...], union: ImageUnion) -> ImagePart:
    n_seeds, n_benchmarks = means.shape[1], len(frames)
    contributions = np.zeros((n_seeds, union.size))
    for column, mean, frame, positions in zip(sums, means, frames, union.positions, strict=True):
        n_images = len(frame.clusters)
        if n_images < 2:
            law = "an interval needs at least two images, but all examples share one"
            raise InputError(law, place=f"benchmark {frame.benchmark}")
        small_sample = math.sqrt(n_images / (n_images - 1))
        share = (column - mean[:, None] * frame.sizes) / frame.n
        contributions[:, positions] += share * small_sample / n_benchmarks
    over_seeds = contributions.mean(0)
    df = union.size - 1
    raw = Part(float((over_seeds**2).sum()), df)
    if n_seeds == 1:
        return ImagePart(raw, None)
    left = float(((contributions - over_seeds) ** 2).sum()) / (n_seeds * (n_seeds - 1))
    return ImagePart(raw, Part(left, (n_seeds - 1) * df))
