"""Scores of a study by arm, seed and benchmark, and the means and effects that are asked of them."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from orchestrator.analysis.bootstrap import ImageSums
from orchestrator.analysis.effects import Contrast, Effect, Estimate, estimate_effect
from orchestrator.analysis.examples import Cell, Examples, Frame, common_frames, some
from orchestrator.analysis.image_spread import ImageUnion
from orchestrator.analysis.intervals import Floats
from orchestrator.analysis.number_text import listed
from orchestrator.analysis.pairs import pair_weights
from orchestrator.analysis.seed_spread import Pool, score_scale
from search_spaces.errors import InputError


class Scores:
    """Cells of a study by (arm, seed, benchmark), reduced to sums per image as they are added."""

    def __init__(self) -> None:
        self._cells: dict[tuple[str, int, str], Cell] = {}
        self._seeds: dict[str, set[int]] = {}
        self._frames: dict[bytes, Frame] = {}
        self._sorted: dict[bytes, tuple[Frame, NDArray[np.intp]]] = {}
        self._seen: dict[tuple[str, str, int, int], tuple[Examples, tuple[Frame, NDArray[np.intp]]]] = {}
        self._pools: dict[tuple[int, ...], Pool] = {}
        self._unions: dict[tuple[int, ...], ImageUnion] = {}

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
            arm: of the trial.
            seed: of the trial.
            benchmark: its id.
            examples: in any order.
            images: name of the image set that the clusters belong to; None: the benchmark's own.
            has_signal: False where the model shows none (`signal`). Its (non-)variation does not enter the pool.

        Raises:
            InputError: if the cell is there already, or an id occurs twice.
        """
        if (arm, seed, benchmark) in self._cells:
            raise InputError(f"scores must come once, but {arm} has {benchmark} with seed {seed} twice")
        frame, order = self._frame(f"{benchmark} of {arm}, seed {seed}", benchmark, images or benchmark, examples)
        points = 100.0 * np.asarray(examples.scores, dtype=np.float64)[order]
        sums: Floats = np.bincount(frame.cluster_of, weights=points).astype(np.float64)
        above = {
            name: sums - np.bincount(frame.cluster_of, weights=100.0 * scores[order])
            for name, scores in examples.priors.items()
        }
        self._cells[arm, seed, benchmark] = cell = Cell(frame, sums, has_signal, above)
        self._seeds.setdefault(arm, set()).add(seed)
        self._pools.clear()
        return cell

    def cells_of(self, arm: str, benchmark: str) -> dict[int, Cell]:
        """Find the scores of an arm on one benchmark, by seed."""
        return {seed: self._cells[arm, seed, benchmark] for seed in self.seeds(arm, (benchmark,))}

    def settle_signal(self, arm: str, benchmark: str, silent: Collection[int]) -> None:
        """Record with which seeds an arm shows no signal on a benchmark, and forget the priors.

        Args:
            arm: of the cells.
            benchmark: its id.
            silent: seeds without a signal. Their (non-)variation does not enter the pool.
        """
        for seed, cell in self.cells_of(arm, benchmark).items():
            self._cells[arm, seed, benchmark] = replace(cell, has_signal=seed not in silent, above={})
        self._pools.clear()

    def seeds(self, arm: str, benchmarks: Sequence[str]) -> tuple[int, ...]:
        """List the seeds that have all of these benchmarks, sorted."""
        seeds = self._seeds.get(arm, set())
        return tuple(sorted(s for s in seeds if all((arm, s, name) in self._cells for name in benchmarks)))

    def mean(self, arm: str, benchmarks: Sequence[str]) -> Estimate:
        """Estimate the mean of an arm, over the seeds that have all of these benchmarks.

        Raises:
            InputError: if there is no such seed, or seeds were scored on different examples.
        """
        seeds = self.seeds(arm, benchmarks)
        if not seeds:
            raise InputError(f"a mean needs scores, but {arm} has no seed with all of {', '.join(benchmarks)}")
        return self._estimate({arm: 1.0}, benchmarks, seeds, None).estimate

    def contrast(self, reference: str, alternative: str, benchmarks: Sequence[str]) -> Contrast:
        """Estimate alternative - reference over their common seeds.

        Args:
            reference: an arm.
            alternative: another arm.
            benchmarks: over whose unweighted mean.

        Raises:
            InputError: as `effect` does.
        """
        effect = self.effect(pair_weights([(reference, alternative)]), benchmarks)
        return Contrast(effect.estimate, effect.df_pooled, reference, alternative)

    def effect(self, weights: Mapping[str, float], benchmarks: Sequence[str], seed_sd: float | None = None) -> Effect:
        """Estimate a weighted sum of arms over the seeds that all of them have.

        Args:
            weights: arm -> weight; they add up to 0 (`pair_weights`).
            benchmarks: over whose unweighted mean.
            seed_sd: assumed standard deviation in points of one arm's mean over seeds, used where there is one seed.

        Raises:
            InputError: if they share no seed that has all of these benchmarks, or were scored on different examples.
        """
        common = set.intersection(*(set(self.seeds(arm, benchmarks)) for arm in weights))
        if not common:
            law = f"a contrast needs a common seed, but {listed(weights)} share none with {', '.join(benchmarks)}"
            raise InputError(law)
        return self._estimate(weights, benchmarks, tuple(sorted(common)), seed_sd)

    def image_sums(self, effects: Sequence[Mapping[str, float]], benchmark: str) -> ImageSums:
        """Sum weighted sums of arms on each image of one benchmark, each the mean over the seeds that its arms share.

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
        """Find the scores of one trial on one benchmark, or None.

        Args:
            arm: of the trial.
            seed: of the trial.
            benchmark: its id.
        """
        return self._cells.get((arm, seed, benchmark))

    def points(self, arm: str, seeds: Sequence[int], benchmark: str) -> float | None:
        """Average the scores of an arm on one benchmark over those of these seeds that have it; None where none has.

        Args:
            arm: of the trials.
            seeds: of the trials.
            benchmark: its id.
        """
        cells = [self.cell(arm, seed, benchmark) for seed in seeds]
        means = [cell.mean for cell in cells if cell is not None]
        return sum(means) / len(means) if means else None

    def _frame(self, place: str, benchmark: str, images: str, examples: Examples) -> tuple[Frame, NDArray[np.intp]]:
        """Find the frame of these examples, one object for equal examples in any order, and their sorting order."""
        same = (benchmark, images, id(examples.ids), id(examples.clusters))
        if same in self._seen:  # the very same names: no need to digest them
            return self._seen[same][1]
        digest = _digest(benchmark, images, examples.ids, examples.clusters)
        if digest not in self._sorted:  # files of one benchmark come in one order: they are sorted once
            duplicates = sorted(name for name, count in Counter(examples.ids).items() if count > 1)
            if duplicates or not examples.ids:
                problem = f"{some(duplicates)} come more than once" if duplicates else "there are none"
                raise InputError(f"example ids must be unique, but {problem}", place=place)
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
    ) -> Effect:
        """Estimate one arm with weight 1, or arms with weights that add up to 0."""
        trials = {(a, s): [self._cells[a, s, name].frame for name in benchmarks] for a in weights for s in seeds}
        frames = common_frames(trials)
        sums: list[Floats] = [
            np.stack([sum(w * self._cells[arm, s, name].sums for arm, w in weights.items()) for s in seeds])
            for name in benchmarks
        ]
        pool = self._pool(frames) if len(seeds) > 1 else None
        steps = all(self._cells[arm, s, name].counts_examples for arm in weights for s in seeds for name in benchmarks)
        return estimate_effect(sums, frames, self._union(frames), seeds, weights, pool, seed_sd, has_steps=steps)

    def _union(self, frames: tuple[Frame, ...]) -> ImageUnion:
        key = tuple(map(id, frames))
        if key not in self._unions:
            self._unions[key] = ImageUnion.of(frames)
        return self._unions[key]

    def pool(self, benchmarks: Sequence[str]) -> Pool | None:
        """Pool the seed variation of all arms that were scored on these benchmarks with two seeds or more.

        Args:
            benchmarks: over whose unweighted mean.

        Returns:
            None if no arm has two seeds with all of them; arms with unequal examples are pooled with the first one's.
        """
        for arm in self._seeds:
            seeds = self.seeds(arm, benchmarks)
            if len(seeds) > 1:
                return self._pool(tuple(self._cells[arm, seeds[0], name].frame for name in benchmarks))
        return None

    def _pool(self, frames: tuple[Frame, ...]) -> Pool:
        """Pool the seed variation of all arms that were scored on these examples and show a signal on one of them."""
        key = tuple(map(id, frames))
        if key not in self._pools:
            trials = {
                (arm, seed): self._cells_on(frames, arm, seed) for arm, seed in sorted({key[:2] for key in self._cells})
            }
            complete = {trial: cells for trial, cells in trials.items() if len(cells) == len(frames)}
            with_signal = {arm for (arm, _), cells in complete.items() if any(cell.has_signal for cell in cells)}
            points = {trial: np.array([cell.mean for cell in cells]) for trial, cells in complete.items()}
            means = {trial: float(points[trial].mean()) for trial in points if trial[0] in with_signal}
            self._pools[key] = Pool.of(means, _scales(points, frames))
        return self._pools[key]

    def _cells_on(self, frames: tuple[Frame, ...], arm: str, seed: int) -> list[Cell]:
        """List the cells of a trial that were scored on exactly these examples."""
        cells = [self._cells.get((arm, seed, frame.benchmark)) for frame in frames]
        return [cell for cell, frame in zip(cells, frames, strict=True) if cell is not None and cell.frame is frame]


def _scales(points: Mapping[tuple[str, int], Floats], frames: tuple[Frame, ...]) -> dict[str, float]:
    """Compute for each arm what its variance over seeds is proportional to: p (1 - p), mean over the benchmarks.

    Args:
        points: (arm, seed) -> points by benchmark, also of arms without a signal, to which the pool is applied as well.
        frames: of the benchmarks.
    """
    by_arm: dict[str, list[Floats]] = {}
    for (arm, _), by_benchmark in points.items():
        by_arm.setdefault(arm, []).append(by_benchmark)
    return {
        arm: float(
            np.mean([score_scale(points, frame.n) for points, frame in zip(np.mean(rows, axis=0), frames, strict=True)])
        )
        for arm, rows in by_arm.items()
    }


def _digest(benchmark: str, images: str, ids: tuple[str, ...], clusters: tuple[str, ...]) -> bytes:
    return hashlib.sha256("\0".join((benchmark, images, *ids, *clusters)).encode()).digest()
