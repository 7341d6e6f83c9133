"""Main effects and interactions of a study's axes, where its design can estimate them.

An ordinary least-squares fit of the trials' mean scores on the axes, seeds as blocks. In a grid every trial serves
every axis. One axis at a time leaves interactions unknown: the effect of a choice is then its effect at the base.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from orchestrator.analysis.intervals import Floats, Interval, t_interval

Row = tuple[Mapping[str, str], int, float]
"""Axis -> label, seed, mean score in points."""


@dataclass(frozen=True)
class Factor:
    """The effect of a value of an axis against the base's, averaged over the other axes; or an interaction of two."""

    term: str
    """`resize=naive`, or `resize=naive x epochs=2`: how much more the two do together than each alone."""
    effect: float
    interval: tuple[float, float]
    """95 %, over seeds; images are not in it."""
    p: float


@dataclass(frozen=True)
class Factors:
    """Main effects and interactions that the design can estimate."""

    factors: tuple[Factor, ...]
    unknown: tuple[str, ...]
    """Effects that the design cannot estimate, in plain words."""
    df: int
    """Residual degrees of freedom."""


def factors(rows: Sequence[Row], base: Mapping[str, str]) -> Factors:
    """Fit main effects, and the interactions of two axes that the trials cross completely enough.

    Args:
        rows: one for every trial with scores.
        base: axis -> label of the base.
    """
    levels = {
        axis: [label for label in dict.fromkeys(row[0][axis] for row in rows) if label != base[axis]] for axis in base
    }
    varied = {axis: labels for axis, labels in levels.items() if labels}
    reasons = [f"{axis}: only one value has results" for axis in levels if axis not in varied]
    mains = {f"{axis}={label}": _is(rows, axis, label) for axis, labels in varied.items() for label in labels}
    seeds = list(dict.fromkeys(row[1] for row in rows))
    fixed = [np.ones(len(rows)), *(np.array([float(row[1] == seed) for row in rows]) for seed in seeds[1:])]
    if not _are_independent([*fixed, *mains.values()]):
        law = "the main effects cannot be told apart: some values always come together"
        return Factors((), (*reasons, law), 0)
    crossed, lost = _interactions(varied, mains, fixed)
    if lost and len(lost) == math.comb(len(varied), 2):
        reasons.append("interactions: no two axes are crossed, so an effect is known at the base's other values only")
    elif lost:
        reasons.append(f"interactions of axes that are not crossed: {', '.join(lost)}")
    effects = {**mains, **crossed}
    df = len(rows) - len(fixed) - len(effects)
    if df < 1:
        return Factors((), (*reasons, "no trials are left to estimate the noise: add seeds"), 0)
    return Factors(_fit(np.array([row[2] for row in rows]), fixed, effects), tuple(reasons), df)


def _interactions(
    levels: Mapping[str, Sequence[str]], mains: Mapping[str, Floats], fixed: Sequence[Floats]
) -> tuple[dict[str, Floats], list[str]]:
    """Collect the interactions of every two axes that the trials cross completely enough.

    Args:
        levels: axis -> labels other than the base's.
        mains: term -> column of every main effect.
        fixed: columns of the constant and of the seeds.

    Returns:
        Term -> column of what can be estimated, and the pairs of axes whose interactions cannot.
    """
    crossed: dict[str, Floats] = {}
    lost = []
    for first, second in itertools.combinations(levels, 2):
        pair = {
            f"{first}={a} x {second}={b}": mains[f"{first}={a}"] * mains[f"{second}={b}"]
            for a in levels[first]
            for b in levels[second]
        }
        wider = [*fixed, *mains.values(), *crossed.values(), *pair.values()]
        if _are_independent(wider) and len(wider[0]) > len(wider):
            crossed |= pair
        else:
            lost.append(f"{first} x {second}")
    return crossed, lost


def _are_independent(columns: Sequence[Floats]) -> bool:
    return int(np.linalg.matrix_rank(np.column_stack(columns))) == len(columns)


def _fit(scores: Floats, fixed: Sequence[Floats], effects: Mapping[str, Floats]) -> tuple[Factor, ...]:
    """Fit the columns; those of crossed axes are centred first, so that main effects are means over the other axes."""
    centred = {term: column - column.mean() for term, column in effects.items()}
    design = [*fixed]
    for term in effects:
        parts = term.split(" x ")
        design.append(centred[parts[0]] * centred[parts[1]] if len(parts) == 2 else centred[term])
    intervals = least_squares(np.column_stack(design), scores)[len(fixed) :]
    return tuple(
        Factor(term, interval.value, (interval.low, interval.high), interval.p)
        for term, interval in zip(effects, intervals, strict=True)
    )


def least_squares(design: Floats, y: Floats) -> list[Interval]:
    """Fit `y` by ordinary least squares and give every coefficient with its 95 % t interval.

    With design = QR the coefficients are R^-1 Q'y, and their covariance is s^2 R^-1 R^-T (Golub and Van Loan, Matrix
    Computations, 5.3).

    Args:
        design: rows x coefficients, of full column rank, with more rows than coefficients.
        y: one value for each row, in points.
    """
    q, r = np.linalg.qr(design)
    inverse = np.linalg.inv(r)
    coefficients = inverse @ (q.T @ y)
    df = design.shape[0] - design.shape[1]
    variance = float(((y - design @ coefficients) ** 2).sum()) / df
    errors = np.sqrt(variance * (inverse**2).sum(axis=1))
    return [t_interval(float(value), float(error), df) for value, error in zip(coefficients, errors, strict=True)]


def _is(rows: Sequence[Row], axis: str, label: str) -> Floats:
    return np.array([float(row[0][axis] == label) for row in rows])
