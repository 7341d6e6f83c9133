"""Aggregates of a table of scores: means over groups of benchmarks, and z-scores against a frozen reference pool.

A z-score against whatever models happen to be there moves with every model that is added. So a pool is named, its
members, means and standard deviations are kept with the result, and raw points stand beside every z. The jackknife says
how much a z hangs on single members: its standard error over pools that lack one of them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from orchestrator.analysis.factors import Factors
from orchestrator.analysis.intervals import Floats
from search_spaces.claims import Suites
from search_spaces.errors import InputError

GROUPS = ("vqa-4", "loc-4", "chal-4")
"""Suites of the catalogue that are shown as groups where all of their benchmarks are there."""

Scores = Mapping[str, Mapping[str, float]]
"""Model (or arm) -> benchmark -> points."""


@dataclass(frozen=True)
class Pool:
    """What z-scores are measured against."""

    name: str
    members: tuple[str, ...]
    benchmarks: tuple[str, ...]
    mean: tuple[float, ...]
    """Of the members, for every benchmark."""
    sd: tuple[float, ...]
    """With ddof 1."""
    scores: Scores
    """Of the members, so that the pool can be taken apart again."""


@dataclass(frozen=True)
class Aggregate:
    """One model or arm."""

    model: str
    points: float
    """Unweighted mean over the pool's benchmarks."""
    z: float
    """Mean over the benchmarks of (score - mean of the pool) / sd of the pool."""
    z_error: float
    """Jackknife standard error over the pool's members."""
    groups: dict[str, float]
    """Group -> mean points, for groups of which every benchmark is there."""


@dataclass(frozen=True)
class Aggregates:
    """Of all models of a table, or all arms of a study."""

    pool: Pool | None
    """None where fewer than three models have all scores: then nothing but points can be given."""
    models: tuple[Aggregate, ...]
    factors: Factors | None = None
    """Only of a study."""


def groups_of(suites: Suites) -> dict[str, list[str]]:
    """Group -> its benchmarks."""
    return {name: [member.id for member in suites[name]] for name in GROUPS}


def reference_pool(name: str, benchmarks: Sequence[str], scores: Scores) -> Pool | None:
    """The pool of all models that have all of these benchmarks, without benchmarks on which they score alike."""
    members = [model for model, row in scores.items() if all(benchmark in row for benchmark in benchmarks)]
    differing = [one for one in benchmarks if len({scores[model][one] for model in members}) > 1]
    return freeze_pool(name, members, differing, scores) if len(members) > 2 and differing else None


def aggregated(scores: Scores, pool: Pool | None, groups: Mapping[str, Sequence[str]]) -> Aggregates:
    """Every model against the pool."""
    return Aggregates(pool, against_pool(scores, pool, groups) if pool is not None else ())


def freeze_pool(name: str, members: Sequence[str], benchmarks: Sequence[str], scores: Scores) -> Pool:
    """Means and standard deviations of a pool of at least three members.

    Raises:
        InputError: for fewer members, a member without one of the scores, or a benchmark on which all score alike.
    """
    if len(members) < 3:
        raise InputError(f"a pool must have at least three members, but has {len(members)}", key=name)
    missing = [f"{one} on {b}" for one in members for b in benchmarks if b not in scores.get(one, {})]
    if missing:
        raise InputError(f"a pool's members must have every score, but there is none of {', '.join(missing)}", key=name)
    table = np.array([[scores[one][benchmark] for benchmark in benchmarks] for one in members])
    sd = table.std(axis=0, ddof=1)
    flat = [benchmark for benchmark, one in zip(benchmarks, sd, strict=True) if one == 0]
    if flat:
        raise InputError(f"a pool's members must differ, but all score alike on {', '.join(flat)}", key=name)
    kept = {one: {benchmark: scores[one][benchmark] for benchmark in benchmarks} for one in members}
    means = tuple(float(value) for value in table.mean(axis=0))
    return Pool(name, tuple(members), tuple(benchmarks), means, tuple(float(value) for value in sd), kept)


def against_pool(scores: Scores, pool: Pool, groups: Mapping[str, Sequence[str]]) -> tuple[Aggregate, ...]:
    """Of every model that has all of the pool's benchmarks, best first."""
    members = np.array([[pool.scores[one][name] for name in pool.benchmarks] for one in pool.members])
    without = [np.delete(members, i, axis=0) for i in range(len(members))]
    found = []
    for model, row in scores.items():
        if not all(name in row for name in pool.benchmarks):
            continue
        values = np.array([row[name] for name in pool.benchmarks])
        left_out = [_z(values, rest) for rest in without]
        n = len(left_out)
        error = math.sqrt((n - 1) / n * float(((np.array(left_out) - np.mean(left_out)) ** 2).sum()))
        means = {
            group: sum(row[name] for name in names) / len(names)
            for group, names in groups.items()
            if all(name in row for name in names)
        }
        found.append(Aggregate(model, float(values.mean()), _z(values, members), error, means))
    return tuple(sorted(found, key=lambda one: -one.z))


def _z(values: Floats, members: Floats) -> float:
    """A benchmark on which the rest of a jackknifed pool scores alike says nothing and is left out."""
    sd = members.std(axis=0, ddof=1)
    differs = sd > 0
    return float(((values - members.mean(axis=0))[differs] / sd[differs]).mean())
