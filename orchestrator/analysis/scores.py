"""Scores of a study, and what they say of arms: means, differences and mean differences, with their intervals.

Images carry unequal numbers of examples, so their contributions to a mean are those of a ratio, linearised:
g_sc = (sum of the image's scores - number of its examples x mean of the seed) / number of examples. In a mean over
benchmarks the contributions of one image to all of them are added up before they are squared; so are, in a mean over
pairs, those of arms that several pairs share: an effect is one weighted sum of arms. `intervals` has the model.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from orchestrator.analysis.bootstrap import ImageSums
from orchestrator.analysis.examples import Cell, Examples, Frame, common_frames, some
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
from orchestrator.analysis.pairs import pair_weights
from orchestrator.analysis.verdicts import Scope
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


class Scores:
    """Cells of a study by (arm, seed, benchmark), reduced to sums per image as they are added."""

    def __init__(self) -> None:
        self._cells: dict[tuple[str, int, str], Cell] = {}
        self._seeds: dict[str, set[int]] = {}
        self._frames: dict[bytes, Frame] = {}
        self._sorted: dict[bytes, tuple[Frame, NDArray[np.intp]]] = {}
        self._seen: dict[tuple[str, str, int, int], tuple[Examples, tuple[Frame, NDArray[np.intp]]]] = {}
        self._pools: dict[tuple[int, ...], Pool] = {}
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
        estimate, _, _ = self._estimate({arm: 1.0}, benchmarks, seeds, None)
        return estimate

    def contrast(self, reference: str, alternative: str, benchmarks: Sequence[str]) -> Contrast:
        """Alternative - reference over their common seeds. Raises as `effect` does."""
        found = self.effect(pair_weights([(reference, alternative)]), benchmarks)
        return Contrast(found.estimate, found.check, found.df_pooled, reference, alternative)

    def effect(self, weights: Mapping[str, float], benchmarks: Sequence[str], seed_sd: float | None = None) -> Effect:
        """A weighted sum of arms over the seeds that all of them have.

        Args:
            weights: arm -> weight; they add up to 0 (`pair_weights`).
            seed_sd: assumed standard deviation in points of one arm's mean over seeds, used where there is one seed.

        Raises:
            InputError: if they share no seed that has all of these benchmarks, or were scored on different examples.
        """
        common = set.intersection(*(set(self.seeds(arm, benchmarks)) for arm in weights))
        if not common:
            named = " and ".join(weights) if len(weights) < 3 else f"{', '.join(weights)}"
            law = f"a contrast needs a common seed, but {named} share none with {', '.join(benchmarks)}"
            raise InputError(law)
        estimate, check, df_pooled = self._estimate(weights, benchmarks, tuple(sorted(common)), seed_sd)
        return Effect(estimate, check, df_pooled)

    def image_sums(self, effects: Sequence[Mapping[str, float]], benchmark: str) -> ImageSums:
        """Of several weighted sums of arms on one benchmark, each the mean over the seeds that all of its arms have.

        Raises:
            InputError: if they were scored on different examples, or there is no common seed.
        """
        columns, frames = [], {}
        for weights in effects:
            common = set.intersection(*(set(self.seeds(arm, (benchmark,))) for arm in weights))
            if not common:
                raise InputError(f"a contrast needs a common seed, but {', '.join(weights)} share none")
            cells = {(arm, seed): self._cells[arm, seed, benchmark] for arm in weights for seed in common}
            frames.update({trial: [cell.frame] for trial, cell in cells.items()})
            total: Floats = sum((w * cells[arm, s].sums for arm, w in weights.items() for s in common), np.zeros(1))
            columns.append(total / len(common))
        return ImageSums(common_frames(frames)[0], np.stack(columns, axis=1).astype(np.float32))

    def cell(self, arm: str, seed: int, benchmark: str) -> Cell | None:
        return self._cells.get((arm, seed, benchmark))

    def _frame(self, place: str, benchmark: str, images: str, examples: Examples) -> tuple[Frame, NDArray[np.intp]]:
        """The frame of these examples, the same object for the same examples in any order, and their sorting order."""
        same = (benchmark, images, id(examples.ids), id(examples.clusters))
        if same in self._seen:  # the very same names: no need to digest them
            return self._seen[same][1]
        digest = _digest(benchmark, images, examples.ids, examples.clusters)
        if digest not in self._sorted:  # files of one benchmark come in one order: they are sorted once
            duplicates = sorted(name for name, count in Counter(examples.ids).items() if count > 1)
            if duplicates or not examples.ids:
                found = f"{some(duplicates)} come more than once" if duplicates else "there are none"
                raise InputError(f"example ids must be unique, but {found}", place=place)
            order = np.argsort(np.array(examples.ids))
            ids = tuple(examples.ids[i] for i in order)
            clusters = tuple(examples.clusters[i] for i in order)
            names, cluster_of = np.unique(np.array(clusters), return_inverse=True)
            sizes = np.bincount(cluster_of).astype(np.float64)
            frame = Frame(benchmark, images, ids, tuple(names.tolist()), cluster_of, sizes)
            self._sorted[digest] = self._frames.setdefault(_digest(benchmark, images, ids, clusters), frame), order
        self._seen[same] = examples, self._sorted[digest]
        return self._sorted[digest]

    def _estimate(
        self, weights: Mapping[str, float], benchmarks: Sequence[str], seeds: tuple[int, ...], seed_sd: float | None
    ) -> tuple[Estimate, CrossedInterval | None, float]:
        """Of one arm with weight 1, or of arms with weights that add up to 0."""
        asked = {(a, s): [self._cells[a, s, name].frame for name in benchmarks] for a in weights for s in seeds}
        frames = common_frames(asked)
        sums = [
            np.stack([sum(w * self._cells[arm, s, name].sums for arm, w in weights.items()) for s in seeds])
            for name in benchmarks
        ]
        means = np.stack([column.sum(1) / frame.n for column, frame in zip(sums, frames, strict=True)])
        value = float(means.mean())
        union = self._union(frames)
        images = _image_part(sums, means, frames, union)
        square_weights = sum(weight**2 for weight in weights.values())
        n_seeds = len(seeds)
        own = pooled = assumed = None
        if n_seeds > 1:
            own = Part(float(means.mean(0).var(ddof=1)) / n_seeds, n_seeds - 1)
            pool = self._pool(frames)
            pooled = pool.of_mean(n_seeds) if len(weights) == 1 else pool.of_effect(n_seeds, square_weights)
        elif seed_sd is not None:
            assumed = Part(square_weights * seed_sd**2, math.inf)
        parts: list[tuple[SeedSource, Part | None]] = [("own", own), ("pooled", pooled), ("assumed", assumed)]
        if n_seeds < OWN_SEEDS:
            parts = [parts[1], parts[0], parts[2]]
        intervals = [crossed_interval(value, part, images, name) for name, part in parts if part is not None]
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
        return estimate, _check(value, estimate, own, pooled, images), pooled.df if pooled is not None else 0

    def _union(self, frames: tuple[Frame, ...]) -> _Union:
        key = tuple(map(id, frames))
        if key not in self._unions:
            self._unions[key] = _Union.of(frames)
        return self._unions[key]

    def _pool(self, frames: tuple[Frame, ...]) -> Pool:
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
            self._pools[key] = Pool.of(means)
        return self._pools[key]


def _check(
    value: float, estimate: Estimate, own: Part | None, pooled: Part | None, images: ImagePart
) -> CrossedInterval | None:
    """The interval that must agree before something is said: the other one of own and pooled (`check_df`)."""
    if own is None or pooled is None:
        return None
    n_seeds = len(estimate.seeds)
    other = pooled if n_seeds >= OWN_SEEDS else own
    source: SeedSource = "pooled" if n_seeds >= OWN_SEEDS else "own"
    return crossed_interval(value, Part(other.variance, check_df(n_seeds, pooled.df)), images, source)


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


def _image_part(sums: list[Floats], means: Floats, frames: tuple[Frame, ...], union: _Union) -> ImagePart:
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


def _digest(benchmark: str, images: str, ids: tuple[str, ...], clusters: tuple[str, ...]) -> bytes:
    return hashlib.sha256("\0".join((benchmark, images, *ids, *clusters)).encode()).digest()
