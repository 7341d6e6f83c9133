"""The error by the choice of images, by drawing images with replacement: for many effects at once, as matrix products.

It checks the linearised image part of `scores`, and serves where that is not to be had. What it must not serve is the
spread over seeds: with two to five of them a percentile bootstrap is far too sure (`measurements.verdict_coverage`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from orchestrator.analysis.examples import Frame
from orchestrator.analysis.intervals import Floats

REPEATS = 2000
_CHUNK = 250
"""Draws at a time: 250 x 10,000 images in single precision are 10 MB."""


@dataclass(frozen=True, eq=False)
class ImageSums:
    """Sums of the examples' points on each image (C) of one benchmark, for several effects (E)."""

    frame: Frame
    sums_CE: NDArray[np.float32]


def image_errors(benchmarks: Sequence[ImageSums], repeats: int = REPEATS, seed: int = 0) -> tuple[Floats, Floats]:
    """Estimate standard errors by images, in points: of each benchmark (B x E), and of the mean over them (E).

    Benchmarks of one image set are drawn together: an image that two of them share is in both or in neither.

    Args:
        benchmarks: sums of E effects on every image of each of the B benchmarks.
        repeats: number of draws.
        seed: of the random numbers.
    """
    n_effects = benchmarks[0].sums_CE.shape[1]
    of_mean = np.zeros((repeats, n_effects), dtype=np.float32)
    errors = np.zeros((len(benchmarks), n_effects))
    sets: dict[str, list[int]] = defaultdict(list)
    for number, benchmark in enumerate(benchmarks):
        sets[benchmark.frame.images].append(number)
    for number_of_set, members in enumerate(sets.values()):
        random = np.random.default_rng([seed, number_of_set])
        drawn = _drawn_means([benchmarks[i] for i in members], repeats, random)
        for i, means_RE in zip(members, drawn, strict=True):
            errors[i] = means_RE.std(axis=0, ddof=1)
            of_mean += means_RE / len(benchmarks)
    return errors, of_mean.std(axis=0, ddof=1).astype(np.float64)


def _drawn_means(
    benchmarks: Sequence[ImageSums], repeats: int, random: np.random.Generator
) -> list[NDArray[np.float32]]:
    """Draw images with replacement and take the mean over their examples, R x E for each benchmark.

    Args:
        benchmarks: of one image set.
        repeats: number of draws, R.
        random: advanced by what is drawn.
    """
    names = sorted({name for benchmark in benchmarks for name in benchmark.frame.clusters})
    index = {name: position for position, name in enumerate(names)}
    positions = [np.array([index[name] for name in benchmark.frame.clusters]) for benchmark in benchmarks]
    drawn = [np.empty((repeats, benchmark.sums_CE.shape[1]), dtype=np.float32) for benchmark in benchmarks]
    for start in range(0, repeats, _CHUNK):
        end = min(start + _CHUNK, repeats)
        weights_RU = _multinomial(random, end - start, len(names))
        for benchmark, at, means_RE in zip(benchmarks, positions, drawn, strict=True):
            weights_RC = weights_RU if len(at) == len(names) else weights_RU[:, at]
            examples_R = weights_RC @ benchmark.frame.sizes.astype(np.float32)
            means_RE[start:end] = (weights_RC @ benchmark.sums_CE) / examples_R[:, None]
    return drawn


def _multinomial(random: np.random.Generator, repeats: int, n: int) -> NDArray[np.float32]:
    """Draw n images n times and count each, `repeats` times; ten times faster than `random.multinomial`."""
    drawn = random.integers(0, n, (repeats, n)) + n * np.arange(repeats)[:, None]
    return np.bincount(drawn.ravel(), minlength=repeats * n).reshape(repeats, n).astype(np.float32)
