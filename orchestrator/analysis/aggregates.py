"""Aggregates of a table of scores: means over groups of benchmarks, and z-scores against a frozen reference pool.

A z-score against whatever models happen to be there moves with every model that is added. So a pool is named, its
members, means and standard deviations are kept with the result, and raw points stand beside every z. The jackknife says
how much a z hangs on single members: its standard error over pools that lack one of them.
"""

from __future__ import annotations

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
    """Points and z-score of one model or arm."""

    model: str
    points: float
    """Unweighted mean over the pool's benchmarks."""
    z: float
    """Mean over the benchmarks of (score - mean of the pool) / sd of the pool."""
    z_error: float | None
    """Jackknife standard error over the pool's members. None: not defined, because the rest of the pool scores alike on
    every benchmark once a certain member is left out."""
    groups: dict[str, float]
    """Group -> mean points, for groups of which every benchmark is there."""


@dataclass(frozen=True)
class Aggregates:
    """Points and z-scores of all models of a table, or of all arms of a study."""

    pool: Pool | None
    """None where fewer than three models have all scores: then nothing but points can be given."""
    models: tuple[Aggregate, ...]
    factors: Factors | None = None
    """Only of a study."""


def groups_of(suites: Suites) -> dict[str, list[str]]:
    """List the benchmarks of each group."""
    return {name: [member.id for member in suites[name]] for name in GROUPS}


def reference_pool(name: str, benchmarks: Sequence[str], scores: Scores) -> Pool | None:
    """Freeze the pool of all models that have all of these benchmarks; None where fewer than three do.

    Args:
        name: of the pool.
        benchmarks: those on which the members score alike are left out.
        scores: model -> benchmark -> points.
    """
    members = [model for model, row in scores.items() if all(benchmark in row for benchmark in benchmarks)]
    differing = [benchmark for benchmark in benchmarks if len({scores[model][benchmark] for model in members}) > 1]
    return freeze_pool(name, members, differing, scores) if len(members) > 2 and differing else None


def aggregated(scores: Scores, pool: Pool | None, groups: Mapping[str, Sequence[str]]) -> Aggregates:
    """Compare every model with the pool.

    Args:
        scores: model -> benchmark -> points.
        pool: None: no model is compared.
        groups: group -> its benchmarks.
    """
    return Aggregates(pool, against_pool(scores, pool, groups) if pool is not None else ())


def freeze_pool(name: str, members: Sequence[str], benchmarks: Sequence[str], scores: Scores) -> Pool:
    """Compute means and standard deviations (ddof 1) of a pool of at least three members.

    Args:
        name: of the pool.
        members: models of `scores`.
        benchmarks: on which every member has a score.
        scores: model -> benchmark -> points.

    Raises:
        InputError: for fewer members, a member without one of the scores, or a benchmark on which all score alike.
    """
    if len(members) < 3:
        raise InputError(f"a pool must have at least three members, but has {len(members)}", key=name)
    missing = [
        f"{member} on {benchmark}"
        for member in members
        for benchmark in benchmarks
        if benchmark not in scores.get(member, {})
    ]
    if missing:
        raise InputError(f"a pool's members must have every score, but there is none of {', '.join(missing)}", key=name)
    table = np.array([[scores[member][benchmark] for benchmark in benchmarks] for member in members])
    sd = table.std(axis=0, ddof=1)
    flat = [benchmark for benchmark, spread in zip(benchmarks, np.ptp(table, axis=0), strict=True) if spread == 0]
    if flat:
        raise InputError(f"a pool's members must differ, but all score alike on {', '.join(flat)}", key=name)
    kept = {member: {benchmark: scores[member][benchmark] for benchmark in benchmarks} for member in members}
    means = tuple(float(value) for value in table.mean(axis=0))
    return Pool(name, tuple(members), tuple(benchmarks), means, tuple(float(value) for value in sd), kept)


def against_pool(scores: Scores, pool: Pool, groups: Mapping[str, Sequence[str]]) -> tuple[Aggregate, ...]:
    """Compute points, z and group means of every model that has all of the pool's benchmarks, best first.

    Args:
        scores: model -> benchmark -> points.
        groups: group -> its benchmarks.
    """
    members = np.array([[pool.scores[member][name] for name in pool.benchmarks] for member in pool.members])
    complete = {model: row for model, row in scores.items() if all(name in row for name in pool.benchmarks)}
    rows = [[row[name] for name in pool.benchmarks] for row in complete.values()]
    points = np.array(rows).reshape(-1, len(pool.benchmarks))
    z = _z(points, members)
    assert z is not None, "a pool's members differ on all of its benchmarks"
    errors = _jackknife_errors(points, members)
    aggregates = []
    for number, (model, row) in enumerate(complete.items()):
        means = {
            group: sum(row[name] for name in names) / len(names)
            for group, names in groups.items()
            if all(name in row for name in names)
        }
        error = None if errors is None else float(errors[number])
        aggregates.append(Aggregate(model, float(points[number].mean()), float(z[number]), error, means))
    return tuple(sorted(aggregates, key=lambda aggregate: -aggregate.z))


def _jackknife_errors(points: Floats, members: Floats) -> Floats | None:
    """Compute the standard errors of z-scores over pools that lack one member each; None where one of them has none.

    Args:
        points: models x benchmarks.
        members: members of the pool x benchmarks.
    """
    n = len(members)
    left_out = np.empty((n, len(points)))
    for i in range(n):
        z = _z(points, np.delete(members, i, axis=0))
        if z is None:
            return None
        left_out[i] = z
    return np.asarray(np.sqrt((n - 1) / n * ((left_out - left_out.mean(axis=0)) ** 2).sum(axis=0)))


def _z(points: Floats, members: Floats) -> Floats | None:
    """Average z-scores over the benchmarks on which the members of a pool differ; None where they differ on none.

    Args:
        points: models x benchmarks.
        members: members of the pool x benchmarks.
    """
    differs = np.ptp(members, axis=0) > 0  # a standard deviation of equal scores may be the rounding of their mean
    if not differs.any():
        return None
    chosen = members[:, differs]
    return np.asarray(((points[:, differs] - chosen.mean(axis=0)) / chosen.std(axis=0, ddof=1)).mean(axis=1))
