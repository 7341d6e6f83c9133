"""Keep what a study's base scores with each of several seeds: `studies/<study>/noise.json`.

`ablate noise` writes it, and `ablate plan` reckons with it. Its numbers are those of the scores on storage, so that a
damaged file is made again by the same command.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from search_spaces.plan import Plan
from trainables.storage import layout
from trainables.storage.record_files import read_or_redo, write
from trainables.storage.store import Store


@dataclass(frozen=True)
class FloorScores:
    """Scores of the base on one benchmark."""

    asked: str
    """Key of what was asked (`identity.benchmark_key`)."""
    points: tuple[float, ...]
    """One for each seed, in the order of `NoiseFloor.seeds`."""
    n_examples: int
    n_images: int


@dataclass(frozen=True)
class NoiseFloor:
    """Scores of the base over seeds, `studies/<study>/noise.json`."""

    base: str
    """Id of the arm: with another base it is the floor of another study."""
    seeds: tuple[int, ...]
    """That trained and did not diverge."""
    benchmarks: Mapping[str, FloorScores]
    diverged: tuple[int, ...] = ()
    """Seeds that have no score."""
    gpu_seconds: float | None = None
    """Of one trial with all of its stages, the mean over seeds."""


def write_floor(store: Store, study: str, floor: NoiseFloor) -> None:
    """Write the noise floor of a study."""
    write(store, layout.noise_floor(study), floor)


def read_floor(store: Store, plan: Plan) -> NoiseFloor | None:
    """Read the noise floor of a plan's study: of its base as it is now, and of what its benchmarks ask now.

    Returns:
        None if there is none, if it is damaged, or if the base has changed since.
    """
    floor = read_or_redo(store, layout.noise_floor(plan.study), NoiseFloor)
    base = next((arm.id for arm in plan.arms if arm.name == plan.base), None)
    if floor is None or floor.base != base:
        return None
    same = {
        name: scores
        for name, scores in floor.benchmarks.items()
        if plan.benchmark_keys.get(name) in (None, scores.asked)
    }
    return NoiseFloor(floor.base, floor.seeds, same, floor.diverged, floor.gpu_seconds)
