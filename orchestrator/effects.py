"""How large an effect is and how surely: means and contrasts of arms from per-example scores, with their intervals.

The model behind every interval is crossed: the score (or paired difference) of seed s on image c is

    y_sc = mu + a_s + b_c + e_sc

because the same images serve all seeds. The mean over S seeds and C images then has the variance

    sigma_a^2 / S  +  sigma_b^2 / C  +  sigma_e^2 / (S C)

Seed part: variance of the seeds' means, divided by S. It estimates the first and the third term together, and so is not
taken below the third alone, which is known much better: two seeds with equal scores by chance prove no certainty.
Image part: variance of the images' means over seeds, divided by C, minus what the residual explains of it, which the
seed part already holds: (MS_image - MS_residual) / (S C), not below 0. It estimates the second term.

Images carry unequal numbers of examples, so their contributions to the mean are those of a ratio, linearised:
g_sc = (sum of the image's scores - number of its examples x mean of the seed) / number of examples. In a mean over
benchmarks the contributions of one image to all of them are added up before they are squared.

All effects are in points: 100 x the mean per-example score, alternative - reference.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray
from scipy import stats

from search_spaces.errors import InputError
from trainables.records import EvaluationResult

LEVEL = 0.95
FALSE_DISCOVERY_RATE = 0.05
NO_SIGNAL_POINTS = 0.05
"""A score this close to that of the majority answer shows nothing of the image (DESIGN, section 11)."""
OWN_SEEDS = 5
"""From this many seeds on, a contrast's own spread over seeds is used; below, the one pooled over the study's arms."""
_NAMED_IDS = 5
_ZERO_VARIANCE = 1e-18
"""Below this (points squared) a variance is the rounding of a difference that is the same everywhere."""

Floats = NDArray[np.float64]
Scope = Literal["recipe", "checkpoints"]


@dataclass(frozen=True, eq=False)
class Examples:
    """What one per-example Parquet file holds, in any order."""

    ids: tuple[str, ...]
    clusters: tuple[str, ...]
    """The image of each example."""
    scores: Floats
    """0 to 1."""


@dataclass(frozen=True, eq=False)
class Frame:
    """Which examples a benchmark consists of, and which of them share an image. Cells with one frame are aligned."""

    benchmark: str
    images: str
    """What its cluster names belong to. Clusters of one name in two benchmarks with equal `images` are one image."""
    ids: tuple[str, ...]
    """Sorted."""
    clusters: tuple[str, ...]
    """Names of its images, sorted."""
    cluster_of: NDArray[np.intp]
    sizes: Floats
    """Number of examples of each image."""

    @property
    def n(self) -> int:
        return len(self.ids)


@dataclass(frozen=True, eq=False)
class Cell:
    """The scores of one arm with one seed on one benchmark: sums per image, in points."""

    frame: Frame
    sums: Floats
    has_signal: bool

    @property
    def mean(self) -> float:
        return float(self.sums.sum() / self.frame.n)


@dataclass(frozen=True)
class Interval:
    """A t interval and what it was made of. Variances are in points squared."""

    low: float
    high: float
    p: float
    """Two-sided, of the value being 0."""
    df: float | None
    """Satterthwaite; None where nothing varies."""
    seed_part: float
    image_part: float
    seeds: Literal["own", "pooled", "none"]
    """Where the seed part comes from; `none` with a single seed: only images vary then."""

    @property
    def excludes_zero(self) -> bool:
        return self.low > 0 or self.high < 0


@dataclass(frozen=True)
class Estimate:
    """The mean of an arm, or a difference of two, over the unweighted mean of its benchmarks."""

    value: float
    interval: Interval
    beside: Interval | None
    """The same with the other seed part; None where there is only one way."""
    scope: Scope
    """`recipe`: the choice was tested. `checkpoints`: these trained weights were, with one seed; only images vary."""
    seeds: tuple[int, ...]
    benchmarks: tuple[str, ...]
    n_examples: int
    n_images: int


@dataclass(frozen=True)
class Contrast:
    """Alternative - reference, paired by example and seed."""

    reference: str
    alternative: str
    estimate: Estimate
    check: Interval | None
    """The own-variance conclusion to hold the interval against; see `_check`."""


@dataclass(frozen=True)
class Judgement:
    """A contrast as one of a table of many."""

    contrast: Contrast
    p_adjusted: float
    """Benjamini-Hochberg over the table."""
    is_clear: bool
    reason: str | None
    """Why not, where the interval alone excludes 0."""


class Scores:
    """Cells of a study by (arm, seed, benchmark), reduced to sums per image as they are added."""

    def __init__(self) -> None:
        self._cells: dict[tuple[str, int, str], Cell] = {}
        self._seeds: dict[str, set[int]] = {}
        self._frames: dict[bytes, Frame] = {}
        self._sorted: dict[bytes, tuple[Frame, NDArray[np.intp]]] = {}
        self._pools: dict[tuple[int, ...], _Pool] = {}
        self._unions: dict[tuple[int, ...], _Union] = {}

    def add(
        self,
        arm: str,
        seed: int,
        benchmark: str,
        examples: Examples,
        *,
        images: str | None = None,
        has_signal: bool = True,
    ) -> Cell:
        """Add the scores of one trial on one benchmark.

        Args:
            images: name of the image set that the clusters belong to; None: the benchmark's own.
            has_signal: False for a cell of which `is_no_signal` holds. Its (non-)variation does not enter the pool.

        Raises:
            InputError: if the cell is there already, or an id occurs twice.
        """
        if (arm, seed, benchmark) in self._cells:
            raise InputError(f"scores must come once, but {arm} has {benchmark} with seed {seed} twice")
        frame, order = self._frame(f"{benchmark} of {arm}, seed {seed}", benchmark, images or benchmark, examples)
        points = 100.0 * np.asarray(examples.scores, dtype=np.float64)[order]
        sums: Floats = np.bincount(frame.cluster_of, weights=points).astype(np.float64)
        self._cells[arm, seed, benchmark] = cell = Cell(frame, sums, has_signal)
        self._seeds.setdefault(arm, set()).add(seed)
        self._pools.clear()
        return cell

    def seeds(self, arm: str, benchmarks: Sequence[str]) -> tuple[int, ...]:
        """Seeds of which all of these benchmarks are there, sorted."""
        seeds = self._seeds.get(arm, set())
        return tuple(sorted(s for s in seeds if all((arm, s, name) in self._cells for name in benchmarks)))

    def mean(self, arm: str, benchmarks: Sequence[str]) -> Estimate:
        """The arm's mean, over the seeds that have all of these benchmarks.

        Raises:
            InputError: if there is no such seed, or seeds were scored on different examples.
        """
        seeds = self.seeds(arm, benchmarks)
        if not seeds:
            raise InputError(f"a mean needs scores, but {arm} has no seed with all of {', '.join(benchmarks)}")
        cells = [[self._cells[arm, seed, name] for seed in seeds] for name in benchmarks]
        frames = _common_frames({(arm, seed): [column[i].frame for column in cells] for i, seed in enumerate(seeds)})
        sums = [np.stack([cell.sums for cell in column]) for column in cells]
        estimate, _ = self._estimate(sums, frames, seeds, kind="mean")
        return estimate

    def contrast(self, reference: str, alternative: str, benchmarks: Sequence[str]) -> Contrast:
        """Alternative - reference over their common seeds.

        Raises:
            InputError: if they share no seed that has all of these benchmarks, or were scored on different examples.
        """
        theirs = set(self.seeds(reference, benchmarks))
        seeds = tuple(seed for seed in self.seeds(alternative, benchmarks) if seed in theirs)
        if not seeds:
            names = ", ".join(benchmarks)
            raise InputError(
                f"a contrast needs a common seed, but {reference} and {alternative} share none with {names}"
            )
        asked = {
            (arm, seed): [self._cells[arm, seed, name].frame for name in benchmarks]
            for arm in (reference, alternative)
            for seed in seeds
        }
        frames = _common_frames(asked)
        sums = [
            np.stack([self._cells[alternative, s, name].sums - self._cells[reference, s, name].sums for s in seeds])
            for name in benchmarks
        ]
        estimate, check = self._estimate(sums, frames, seeds, kind="contrast")
        return Contrast(reference, alternative, estimate, check)

    def _frame(self, place: str, benchmark: str, images: str, examples: Examples) -> tuple[Frame, NDArray[np.intp]]:
        """The frame of these examples, the same object for the same examples in any order, and their sorting order."""
        digest = _digest(benchmark, images, examples.ids, examples.clusters)
        if digest not in self._sorted:  # files of one benchmark come in one order: they are sorted once
            duplicates = sorted(name for name, count in Counter(examples.ids).items() if count > 1)
            if duplicates or not examples.ids:
                found = f"{_some(duplicates)} come more than once" if duplicates else "there are none"
                raise InputError(f"example ids must be unique, but {found}", place=place)
            order = np.argsort(np.array(examples.ids))
            ids = tuple(examples.ids[i] for i in order)
            clusters = tuple(examples.clusters[i] for i in order)
            names, cluster_of = np.unique(np.array(clusters), return_inverse=True)
            sizes = np.bincount(cluster_of).astype(np.float64)
            frame = Frame(benchmark, images, ids, tuple(names.tolist()), cluster_of, sizes)
            self._sorted[digest] = self._frames.setdefault(_digest(benchmark, images, ids, clusters), frame), order
        return self._sorted[digest]

    def _estimate(
        self, sums: list[Floats], frames: tuple[Frame, ...], seeds: tuple[int, ...], kind: Literal["mean", "contrast"]
    ) -> tuple[Estimate, Interval | None]:
        means = np.stack([column.sum(1) / frame.n for column, frame in zip(sums, frames, strict=True)])
        value = float(means.mean())
        union = self._union(frames)
        images = _image_part(sums, means, frames, union)
        n_seeds = len(seeds)
        own = pooled = None
        if n_seeds > 1:
            spread = float(means.mean(0).var(ddof=1))
            own = _Part(spread / n_seeds, n_seeds - 1)
            pooled = self._pool(frames).part(kind, n_seeds)
        parts: list[tuple[Literal["own", "pooled", "none"], _Part | None]] = [("own", own), ("pooled", pooled)]
        if n_seeds < OWN_SEEDS:
            parts.reverse()
        intervals = [_interval(value, part, images, name) for name, part in parts if part is not None]
        if not intervals:
            intervals = [_interval(value, None, images, "none")]
        estimate = Estimate(
            value=value,
            interval=intervals[0],
            beside=intervals[1] if len(intervals) > 1 else None,
            scope="recipe" if n_seeds > 1 else "checkpoints",
            seeds=seeds,
            benchmarks=tuple(frame.benchmark for frame in frames),
            n_examples=sum(frame.n for frame in frames),
            n_images=union.size,
        )
        return estimate, _check(value, estimate, own, pooled, images)

    def _union(self, frames: tuple[Frame, ...]) -> _Union:
        key = tuple(map(id, frames))
        if key not in self._unions:
            self._unions[key] = _Union.of(frames)
        return self._unions[key]

    def _pool(self, frames: tuple[Frame, ...]) -> _Pool:
        """Seed variation over all arms that were scored on these examples and show a signal on one of them."""
        key = tuple(map(id, frames))
        if key not in self._pools:
            trials: dict[tuple[str, int], list[Cell]] = {}
            for arm, seed in sorted({(arm, seed) for arm, seed, _ in self._cells}):
                found = [self._cells.get((arm, seed, frame.benchmark)) for frame in frames]
                cells = [
                    cell for cell, frame in zip(found, frames, strict=True) if cell is not None and cell.frame is frame
                ]
                if len(cells) == len(frames):
                    trials[arm, seed] = cells
            speaking = {arm for (arm, _), cells in trials.items() if any(cell.has_signal for cell in cells)}
            means = {
                trial: sum(cell.mean for cell in cells) / len(cells)
                for trial, cells in trials.items()
                if trial[0] in speaking
            }
            self._pools[key] = _Pool.of(means)
        return self._pools[key]


def read_examples(path: Path) -> Examples:
    """Ids, images and scores from a per-example Parquet file.

    Raises:
        InputError: if the file cannot be read, lacks a column, or holds a score outside 0 to 1.
    """
    try:
        table = pq.read_table(path, columns=["id", "cluster", "score"])
        ids, clusters = table["id"].to_pylist(), table["cluster"].to_pylist()
        scores = table["score"].to_numpy().astype(np.float64)
    except (OSError, ValueError, KeyError) as error:  # pyarrow's own errors derive from these
        law = f"per-example scores must be a Parquet file with the columns id, cluster and score, but {error}"
        raise InputError(law, place=str(path), way_out="Run the study again to score anew.") from error
    wrong = [str(ids[i]) for i in np.flatnonzero(~((scores >= 0) & (scores <= 1)))]
    if wrong:
        raise InputError(
            f"per-example scores must be from 0 to 1, but those of {_some(wrong)} are not", place=str(path)
        )
    return Examples(tuple(map(str, ids)), tuple(map(str, clusters)), scores)


def is_no_signal(evaluation: EvaluationResult, mean: float) -> bool:
    """Whether the model gives one answer throughout, or scores like the majority answer. `mean` is in points."""
    return evaluation["constant"] or abs(mean - evaluation["majority"]) <= NO_SIGNAL_POINTS


def judge(contrasts: Sequence[Contrast], rate: float = FALSE_DISCOVERY_RATE) -> tuple[Judgement, ...]:
    """Judge the contrasts of one exploratory table: Benjamini-Hochberg over all of them, then each one's own spread."""
    if not contrasts:
        return ()
    adjusted = stats.false_discovery_control([contrast.estimate.interval.p for contrast in contrasts])
    return tuple(
        _judged(contrast, float(p), len(contrasts), rate) for contrast, p in zip(contrasts, adjusted, strict=True)
    )


def _judged(contrast: Contrast, p_adjusted: float, n: int, rate: float) -> Judgement:
    if not contrast.estimate.interval.excludes_zero:
        return Judgement(contrast, p_adjusted, False, None)
    if p_adjusted > rate:
        reason = f"it does not stand out among the {n} comparisons of this report"
        return Judgement(contrast, p_adjusted, False, reason)
    if contrast.check is not None and not contrast.check.excludes_zero:
        other = "of its own seeds" if contrast.estimate.interval.seeds == "pooled" else "pooled over the arms"
        low, high = contrast.check.low, contrast.check.high
        reason = f"the spread {other} leads to another conclusion ({low:+.1f} to {high:+.1f})"
        return Judgement(contrast, p_adjusted, False, reason)
    return Judgement(contrast, p_adjusted, True, None)


def _check(
    value: float, estimate: Estimate, own: _Part | None, pooled: _Part | None, images: _ImagePart
) -> Interval | None:
    """The interval that must exclude 0 as well before a difference is called clear.

    It is the other one of own and pooled. With two seeds the own interval has one degree of freedom: its factor of 12.7
    says how little two numbers tell of their own spread, not that the pooled spread is wrong, and holding that against
    a contrast would make pooling pointless. So with two seeds the own spread is taken at face value, with the pooled
    degrees of freedom: it still vetoes where the arm visibly varies more than the others do. Simulated with 10 arms
    (share of false alarms; noise of one arm equal / twice / three times the others'): pooled alone 5, 14, 22 %, this
    rule 4, 10, 15 %, the literal own interval 3, 6, 8 % at a power of 66 instead of 98 % for an effect of 6 seed sd.
    """
    if own is None or pooled is None:
        return None
    if len(estimate.seeds) == 2:
        return _interval(value, _Part(own.variance, pooled.df), images, "own")
    return estimate.beside


@dataclass(frozen=True)
class _Part:
    """One term of a variance and its degrees of freedom."""

    variance: float
    df: float


@dataclass(frozen=True)
class _ImagePart:
    """Variance of a mean by its images: `raw`, as images' means vary, minus the `residual` share of that."""

    raw: _Part
    residual: _Part | None

    @property
    def variance(self) -> float:
        return max(self.raw.variance - (self.residual.variance if self.residual else 0.0), 0.0)

    @property
    def uncertainty(self) -> float:
        """Its share of the denominator of Satterthwaite's formula; 0 where the part itself is 0."""
        if self.variance == 0:
            return 0.0
        return sum(part.variance**2 / part.df for part in (self.raw, self.residual) if part is not None)


@dataclass(frozen=True, eq=False)
class _Union:
    """The images of several benchmarks, those that they share counted once."""

    positions: tuple[NDArray[np.intp], ...]
    """Of each benchmark's images among all images."""
    size: int

    @staticmethod
    def of(frames: tuple[Frame, ...]) -> _Union:
        index: dict[tuple[str, str], int] = {}
        positions = tuple(
            np.array([index.setdefault((frame.images, name), len(index)) for name in frame.clusters], dtype=np.intp)
            for frame in frames
        )
        return _Union(positions, len(index))


@dataclass(frozen=True)
class _Pool:
    """Variation of the means of (arm, seed), seeds being blocks: sums of squares and their degrees of freedom."""

    blocks: float
    df_blocks: int
    residual: float
    df_residual: int

    @staticmethod
    def of(means: Mapping[tuple[str, int], float]) -> _Pool:
        """Fit arm + seed by least squares; arms may lack seeds. Arms with a single seed say nothing and drop out."""
        counts = Counter(arm for arm, _ in means)
        trials = [(arm, seed) for arm, seed in means if counts[arm] > 1]
        if not trials:
            return _Pool(0.0, 0, 0.0, 0)
        arms = {arm: i for i, arm in enumerate(dict.fromkeys(arm for arm, _ in trials))}
        seeds = {seed: i for i, seed in enumerate(sorted({seed for _, seed in trials}))}
        arm_of = np.array([arms[arm] for arm, _ in trials])
        design = np.zeros((len(trials), len(seeds)))
        design[np.arange(len(trials)), [seeds[seed] for _, seed in trials]] = 1.0
        y = _centred(np.array([[means[trial]] for trial in trials]), arm_of, len(arms))
        design = _centred(design, arm_of, len(arms))
        solution, _, rank, _ = np.linalg.lstsq(design, y, rcond=None)
        residual = float(((y - design @ solution) ** 2).sum())
        within = float((y**2).sum())
        return _Pool(max(within - residual, 0.0), int(rank), residual, len(trials) - len(arms) - int(rank))

    def part(self, kind: Literal["mean", "contrast"], n_seeds: int) -> _Part | None:
        """Seed part of an arm's mean or of a contrast; None where fewer than two arms have a signal.

        In a contrast the block cancels, and each of its two arms brings the residual mean square. The mean of an arm
        varies with the block, too: its variance is that within arms, whose blocks all arms share (Satterthwaite).
        """
        if self.df_residual < 1:
            return None
        if kind == "contrast":
            return _Part(2 * self.residual / self.df_residual / n_seeds, self.df_residual)
        df = self.df_blocks + self.df_residual
        within = (self.blocks + self.residual) / df
        share = (self.blocks / df) ** 2 / max(self.df_blocks, 1) + (self.residual / df) ** 2 / self.df_residual
        return _Part(within / n_seeds, within**2 / share if share > 0 else df)


def _digest(benchmark: str, images: str, ids: tuple[str, ...], clusters: tuple[str, ...]) -> bytes:
    return hashlib.sha256("\0".join((benchmark, images, *ids, *clusters)).encode()).digest()


def _centred(values: Floats, group_of: NDArray[np.intp], n_groups: int) -> Floats:
    """Columns minus the mean of each row's group."""
    sums = np.zeros((n_groups, values.shape[1]))
    np.add.at(sums, group_of, values)
    centred: Floats = values - (sums / np.bincount(group_of)[:, None])[group_of]
    return centred


def _image_part(sums: list[Floats], means: Floats, frames: tuple[Frame, ...], union: _Union) -> _ImagePart:
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
    raw = _Part(float((over_seeds**2).sum()), df)
    if n_seeds == 1:
        return _ImagePart(raw, None)
    left = float(((contributions - over_seeds) ** 2).sum()) / (n_seeds * (n_seeds - 1))
    return _ImagePart(raw, _Part(left, (n_seeds - 1) * df))


def _interval(
    value: float, seeds: _Part | None, images: _ImagePart, source: Literal["own", "pooled", "none"]
) -> Interval:
    residual = images.residual.variance if images.residual is not None else 0.0
    seed_variance = max(seeds.variance, residual) if seeds is not None else 0.0
    variance = seed_variance + images.variance
    if variance < _ZERO_VARIANCE:
        return Interval(value, value, 1.0 if abs(value) < 1e-9 else 0.0, None, seed_variance, images.variance, source)
    share = images.uncertainty + (seed_variance**2 / seeds.df if seeds is not None else 0.0)
    df = variance**2 / share
    error = math.sqrt(variance)
    half = float(stats.t.ppf((1 + LEVEL) / 2, df)) * error
    p = float(2 * stats.t.sf(abs(value) / error, df))
    return Interval(value - half, value + half, p, df, seed_variance, images.variance, source)


def _common_frames(asked: Mapping[tuple[str, int], list[Frame]]) -> tuple[Frame, ...]:
    """The frames that all of these trials were scored on, or an error that names two which were not."""
    (first, expected), *others = asked.items()
    for trial, frames in others:
        for one, other in zip(expected, frames, strict=True):
            if one is not other:
                raise _misaligned(first, one, trial, other)
    return tuple(expected)


def _misaligned(first: tuple[str, int], one: Frame, second: tuple[str, int], other: Frame) -> InputError:
    names = [f"{arm} (seed {seed})" for arm, seed in (first, second)]
    only = [sorted(set(one.ids) - set(other.ids)), sorted(set(other.ids) - set(one.ids))]
    details = [f"only {name} has {_some(ids)}" for name, ids in zip(names, only, strict=True) if ids]
    if not details:
        pairs: list[list[Any]] = [[frame.clusters[i] for i in frame.cluster_of] for frame in (one, other)]
        moved = [name for name, a, b in zip(one.ids, *pairs, strict=True) if a != b]
        details = [f"the images of {_some(moved)} differ"]
    return InputError(
        f"{names[0]} and {names[1]} must be scored on the same examples, but {'; '.join(details)}",
        place=f"benchmark {one.benchmark}",
        way_out="The benchmark's data changed between the two: run the study again.",
    )


def _some(names: Iterable[str]) -> str:
    listed = list(names)
    shown = ", ".join(listed[:_NAMED_IDS])
    return f"{shown} and {len(listed) - _NAMED_IDS} more" if len(listed) > _NAMED_IDS else shown
