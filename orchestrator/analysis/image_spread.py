"""The variation of a mean by the choice of images, which carry unequal numbers of questions.

Questions about one image count as one draw. An image's contribution to a mean is that of a ratio, linearised:

    g_c = (sum of the image's scores - number of its examples x mean) / number of examples / sqrt(1 - h_c)

h_c is the image's share of the examples: an image that holds much of a benchmark pulls the mean towards itself, and so
its own contribution looks too small (CR2 of Bell and McCaffrey 2002). In a mean over benchmarks the contributions of
one image to all of them are added up before they are squared. The degrees of freedom are Bell and McCaffrey's for each
set of images, with a small correlation among questions about one image; those of a mean are never those of all images
together where a small benchmark makes the noise.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from orchestrator.analysis.examples import Frame
from orchestrator.analysis.intervals import Floats, Part
from search_spaces.errors import InputError

WORKING_CORRELATION = 0.005
"""Of questions about one image in the degrees of freedom. 0, the textbook's value, covers 93 to 94 % where images of
Zipf's sizes correlate by .1 to .3; .01 covers 99 % where one image holds a third; this one 94 to 98 % in both."""
FEW_DIFFER = 30
"""Images that tell arms apart; below, differences that were not seen are reckoned with as well."""
_FLIPS_TOGETHER = 0.1
"""Correlation of differences on questions about one image, where few are seen."""
LARGE_SHARE = 0.1
"""An image with more of a benchmark's questions than this is named."""


@dataclass(frozen=True, eq=False)
class ImageUnion:
    """The images of several benchmarks, those that they share counted once."""

    positions: tuple[NDArray[np.intp], ...]
    """Of each benchmark's images among all images."""
    adjustments: tuple[Floats, ...]
    """Of each benchmark's images, 1 / sqrt(1 - share of its examples)."""
    size: int
    set_of: NDArray[np.intp]
    """Of each image, the set of images that it belongs to. Benchmarks of one set are not independent."""
    members: tuple[tuple[int, ...], ...]
    """Of each set, the positions of its benchmarks."""
    shares: tuple[Floats, ...]
    """Of each benchmark's images, the shares in its variance that their sizes let expect; they add up to 1."""
    df: Floats
    """Of each benchmark."""
    effective: float
    """Number of equally large images that would be worth as much."""
    large: tuple[tuple[str, str, float], ...]
    """Benchmark, image, and the image's share of the questions, where it is more than a tenth of many images'."""

    @staticmethod
    def of(frames: tuple[Frame, ...]) -> ImageUnion:
        """Number the images of these benchmarks.

        Raises:
            InputError: if a benchmark has a single image.
        """
        index: dict[tuple[str, str], int] = {}
        sets: dict[str, list[int]] = {}
        positions, adjustments, large = [], [], []
        for number, frame in enumerate(frames):
            if len(frame.clusters) < 2:
                law = "an interval needs at least two images, but all examples share one"
                raise InputError(law, place=f"benchmark {frame.benchmark}")
            sets.setdefault(frame.images, []).append(number)
            at = [index.setdefault((frame.images, name), len(index)) for name in frame.clusters]
            positions.append(np.array(at, dtype=np.intp))
            shares = frame.sizes / frame.n
            adjustments.append(1 / np.sqrt(1 - shares))
            largest = int(np.argmax(shares))
            if shares[largest] > max(LARGE_SHARE, 2 / len(shares)):
                large.append((frame.benchmark, frame.clusters[largest], float(shares[largest])))
        numbers = {images: i for i, images in enumerate(sets)}
        influence = np.zeros(len(index))
        for frame, at_C in zip(frames, positions, strict=True):
            influence[at_C] += frame.sizes / frame.n / len(frames)
        expected = [frame.sizes * (1 + (frame.sizes - 1) * WORKING_CORRELATION) for frame in frames]
        return ImageUnion(
            tuple(positions),
            tuple(adjustments),
            len(index),
            np.array([numbers[images] for images, _ in index], dtype=np.intp),
            tuple(tuple(members) for members in sets.values()),
            tuple(variance / variance.sum() for variance in expected),
            np.array([_degrees_of_freedom(frame.sizes) for frame in frames]),
            float(1 / (influence**2).sum()),
            tuple(large),
        )

    def set_df(self, number: int, variances: Floats) -> float:
        """Compute the degrees of freedom of the variance by one set of images.

        Of several benchmarks on the same images: how many of them the variance comes from, by what each benchmark adds
        and what sizes let expect of its images. A small benchmark that makes the noise has the few images that it has.

        Args:
            number: of the set.
            variances: of each benchmark alone.
        """
        members = self.members[number]
        if len(members) == 1:
            return float(self.df[members[0]])
        by_image = np.zeros(self.size)
        for member in members:
            by_image[self.positions[member]] += variances[member] * self.shares[member]
        squares = float((by_image**2).sum())
        if squares == 0:
            return float(self.df[list(members)].sum())
        return max(float(by_image.sum()) ** 2 / squares - 1, 1.0)


@dataclass(frozen=True)
class ImageVariance:
    """Variance of a mean or difference by its images, in points squared."""

    part: Part
    residual: float
    """What the seeds add to it, which the seed part holds."""
    variance_of_one: float
    """See `Interval.variance_of_one`; 0 where enough images differ."""


def image_variance(
    sums: list[Floats], means: Floats, frames: tuple[Frame, ...], union: ImageUnion, *, is_difference: bool
) -> ImageVariance:
    """Estimate the image part of the variance of an unweighted mean over benchmarks.

    With several seeds, what the residual explains of the images' variation is taken off: the seed part holds it.

    Args:
        sums: of each benchmark the points on every image, seeds x images, weighted over the arms.
        means: benchmarks x seeds.
        frames: of each benchmark.
        union: of the images of `frames`.
        is_difference: whether the sums are differences of arms, most of which may be 0.
    """
    n_seeds, n_benchmarks = means.shape[1], len(frames)
    contributions_SU = np.zeros((n_seeds, union.size))
    n_differing, alone, squares = 0, np.zeros(n_benchmarks), 0.0
    parts = zip(sums, frames, union.positions, union.adjustments, strict=True)
    for number, (column, frame, at, adjust) in enumerate(parts):
        own_SC = (column - means[number][:, None] * frame.sizes) / frame.n * adjust / n_benchmarks
        alone[number] = float((own_SC.mean(0) ** 2).sum())
        contributions_SU[:, at] += own_SC
        n_differing += int((np.abs(column).max(axis=0) > 1e-9).sum())
        squares += float((column.mean(0) ** 2 / frame.sizes).sum()) / frame.n / (len(at) * n_benchmarks) ** 2
    over_seeds = contributions_SU.mean(0)
    raw = np.bincount(union.set_of, weights=over_seeds**2, minlength=len(union.members))
    dfs = np.array([union.set_df(number, alone) for number in range(len(union.members))])
    variance, uncertainty = float(raw.sum()), float((raw**2 / dfs).sum())
    df = variance**2 / uncertainty if uncertainty > 0 else float(dfs.sum())
    of_one = 0.0
    if is_difference:  # images on which nothing differs say little of how much it varies where something does
        df = min(df, max(n_differing - 1.0, 1.0))
        by_seeds = float(means.mean(0).var(ddof=1)) / n_seeds if n_seeds > 1 else 0.0
        variance = max(variance, 2 * squares - by_seeds)  # one that is always the same may not be so on the next two
    if is_difference and n_differing < FEW_DIFFER:
        of_one = sum(_variance_of_one(frame) for frame in frames) / n_benchmarks**2
        least = 2 * sum(_variance_of_one(frame) / frame.n for frame in frames) / n_benchmarks**2
        if variance < least:
            variance, df = least, float(dfs.sum())
    residual = 0.0
    if n_seeds > 1:
        residual = float(((contributions_SU - over_seeds) ** 2).sum()) / (n_seeds * (n_seeds - 1))
    return ImageVariance(Part(max(variance - residual, 0.0), df), residual, of_one)


def _variance_of_one(frame: Frame) -> float:
    """Compute the variance in points squared of a mean of 0/1 differences, per share of examples that differ."""
    per_image = float((frame.sizes**2).sum()) / frame.n
    return 1e4 * (1 + (per_image - 1) * _FLIPS_TOGETHER) / frame.n


def _degrees_of_freedom(sizes: Floats) -> float:
    """Compute Bell and McCaffrey's degrees of freedom of the variance of a mean over images.

    They are those of chi-square with equal mean and variance, where questions about one image correlate by
    `WORKING_CORRELATION`.

    Args:
        sizes: number of questions of each image.
    """
    p = sizes / sizes.sum()
    tau = p * (1 + (sizes - 1) * WORKING_CORRELATION)
    total = float(tau.sum())
    weights = 1 / (1 - p)
    own = -2 * tau * p + p**2 * total
    a, b, g = (float((weights * x).sum()) for x in (tau**2, p**2, tau * p))
    trace = float((weights * (tau + own)).sum())
    squares = 2 * a * b + 2 * g**2 + total**2 * b**2 - 4 * total * g * b
    squares += float((weights**2 * (tau**2 + 2 * tau * own)).sum())
    return trace**2 / squares
