"""Find columns of a table of scores that are computed from other columns: a mean, a sum, the same numbers again.

Such a column says nothing that its parts do not say, and would count them twice. A column is taken for the mean of
others where it agrees with it in every line as far as the digits go, and where that would hardly happen by chance.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from orchestrator.analysis.intervals import Floats

Kind = Literal["mean", "sum"]
OfAll = Literal["geometric mean", "harmonic mean"]
Masks = npt.NDArray[np.bool_]
_KINDS: tuple[Kind, ...] = ("mean", "sum")
_NAMED = re.compile(
    r"(?:.*[\s._/-])?(?:avg|average|averaged|mean|geomean|gmean|hmean|median|overall|total|sum|aggregate)\.?"
    r"(?:[\s._-]*(?:w|weighted|unweighted|macro|micro|score|scores|acc|accuracy|points|performance|all|\d+))?(?:\s*[(\[].*)?"
    r"|(?:avg|average|mean)[\s._/-]+(?!iou|ap\b|absolute|squared|reciprocal|precision|rank|opinion|average).*",
    re.IGNORECASE,
)
_ALL_SUBSETS_UP_TO = 12
"""Other columns of which every subset is tried; of more only the likely ones."""
_BY_CHANCE = 0.05
"""How often columns without any tie to one another may agree so well; above it a column counts as one of its own."""


@dataclass(frozen=True)
class Column:
    """Numbers of one column."""

    name: str
    numbers: Mapping[str, float]
    """Model -> number, where there is one."""
    decimals: int
    """Most digits after the decimal sign."""


@dataclass(frozen=True)
class Derived:
    """What a column is computed from."""

    parts: tuple[str, ...]
    """Names of the columns; none where it is only called a mean."""
    kind: Literal["mean", "sum", "geometric mean", "harmonic mean", "same", "named"]

    @property
    def sentence(self) -> str:
        """Say it in words that follow a column's name."""
        parts = ", ".join(self.parts)
        return {
            "mean": f"is the mean of {parts}",
            "sum": f"is the sum of {parts}",
            "geometric mean": f"is the geometric mean of {parts}",
            "harmonic mean": f"is the harmonic mean of {parts}",
            "same": f"holds the same numbers as {parts}",
            "named": "is called a mean, a median or a sum of others",
        }[self.kind]


_OF_ALL: Mapping[OfAll, Callable[[Floats], Floats]] = {
    "geometric mean": lambda values: np.asarray(np.exp(np.log(values).mean(axis=1))),
    "harmonic mean": lambda values: np.asarray(1 / (1 / values).mean(axis=1)),
}
"""What people write at the end of a line besides the mean and the sum: lines x columns of positive numbers -> lines."""


def derived_columns(columns: Sequence[Column], kept: frozenset[str] = frozenset()) -> dict[str, Derived]:
    """Find the columns that are computed from others.

    Args:
        columns: those with numbers, in the order of the table.
        kept: names of columns that count as their own whatever they hold.

    Returns:
        Name of the column -> what it is. One column at least is always left.
    """
    found: dict[str, Derived] = {}
    order = {column.name: number for number, column in enumerate(columns)}
    asked = [column for column in columns if column.name not in kept]
    for column in sorted(asked, key=lambda c: not is_called_mean(c.name)):
        others = [other for other in columns if other is not column and other.name not in found]
        if not others:
            continue
        before = columns[: columns.index(column)]
        derived = _same(column, before) or _of_its_parts(column, others)
        derived = derived or _computed(column, others, order) or _of_all(column, before, others)
        if derived is None and len(others) < len(columns) - 1:
            derived = _computed(column, [other for other in columns if other is not column], order)
        if derived is None and is_called_mean(column.name):
            derived = Derived((), "named")
        if derived is not None:
            found[column.name] = derived
    return found


def is_called_mean(name: str) -> bool:
    """Tell whether a column's name is that of a mean or a sum of others."""
    return _NAMED.fullmatch(name.strip()) is not None


def _same(column: Column, before: Sequence[Column]) -> Derived | None:
    """Find an earlier column with equal numbers in every line; three lines, or two with decimals, are asked for."""
    values = set(column.numbers.values())
    if len(values) < 2 or len(column.numbers) < (2 if column.decimals else 3):
        return None
    return next((Derived((other.name,), "same") for other in before if other.numbers == column.numbers), None)


def _of_its_parts(column: Column, others: Sequence[Column]) -> Derived | None:
    """Find whether a column is the mean of the columns that are called after it: `pope` of `pope-random` and others."""
    name = column.name.lower()
    parts = [other for other in others if re.match(rf"{re.escape(name)}[\s._:/([-]", other.name.lower())]
    models = [model for model in column.numbers if all(model in part.numbers for part in parts)]
    if len(parts) < 2 or len(models) < 2:
        return None
    tolerance = 10.0**-column.decimals + 10.0 ** -max(part.decimals for part in parts)
    means = [sum(part.numbers[model] for part in parts) / len(parts) for model in models]
    agrees = all(abs(mean - column.numbers[model]) <= tolerance for model, mean in zip(models, means, strict=True))
    return Derived(tuple(part.name for part in parts), "mean") if agrees else None


def _of_all(column: Column, before: Sequence[Column], others: Sequence[Column]) -> Derived | None:
    """Find whether a column is another mean than the arithmetic one of all before it, or of all others."""
    for parts in (before, others):
        if len(parts) < 3 or any(other not in others for other in parts):
            continue
        models = [model for model in column.numbers if all(model in part.numbers for part in parts)]
        values = np.array([[part.numbers[model] for part in parts] for model in models])
        if len(models) < 2 or values.min() <= 0:
            continue
        target = np.array([column.numbers[model] for model in models])
        tolerance = 10.0**-column.decimals + 10.0 ** -max(part.decimals for part in parts)
        chance = 2 * len(_OF_ALL) * _chance("mean", values, tolerance)
        for kind, combined in _OF_ALL.items():
            agrees = bool((np.abs(combined(values) - target) <= tolerance).all())
            if agrees and (chance < _BY_CHANCE or is_called_mean(column.name)):
                return Derived(tuple(part.name for part in parts), kind)
    return None


def _computed(column: Column, others: Sequence[Column], order: Mapping[str, int]) -> Derived | None:
    """Find the set of columns that a column is the mean or the sum of, the least likely one by chance.

    Args:
        order: name of each column -> its position in the table.
    """
    if len(others) < 2:
        return None
    named = is_called_mean(column.name)
    models = list(column.numbers)
    target = np.array([column.numbers[model] for model in models])
    values = np.array([[other.numbers.get(model, np.nan) for other in others] for model in models])
    at = sum(order[other.name] < order[column.name] for other in others)
    sets, tries = _sets_of(len(others), at)
    best: tuple[float, Derived] | None = None
    for kind in _KINDS:
        tolerances = _tolerances(kind, sets, column, others)
        for number in _agreeing(kind, sets, tolerances, values, target, least=1 if named else 2):
            parts = values[:, sets[number]]
            chance = tries[number] * _chance(kind, parts[~np.isnan(parts).any(axis=1)], tolerances[number])
            if (named or chance < _BY_CHANCE) and (best is None or chance < best[0]):
                names = tuple(other.name for other, is_part in zip(others, sets[number], strict=True) if is_part)
                best = chance, Derived(names, kind)
    return best[1] if best else None


def _sets_of(n: int, at: int) -> tuple[Masks, Floats]:
    """List the sets of two of n columns or more that a mean may be of: all, neighbours of the column, any others.

    Args:
        n: number of other columns.
        at: how many of them stand before the column.

    Returns:
        Sets x n, true for members; for each set how many are as likely as it, sums and means counted.
    """
    beside = [range(start, at) for start in range(at - 1)] + [range(at, end) for end in range(at + 2, n + 1)]
    runs = [range(start, end) for start in range(n) for end in range(start + 2, n + 1) if end - start < n]
    if n <= _ALL_SUBSETS_UP_TO:
        others = [members for size in range(2, n) for members in itertools.combinations(range(n), size)]
    else:
        left_out = [out for size in (1, 2) for out in itertools.combinations(range(n), size)]
        others = [tuple(i for i in range(n) if i not in out) for out in left_out]
    families: list[Sequence[Sequence[int]]] = [[range(n)], beside, runs, others]
    sets = np.zeros((sum(map(len, families)), n), dtype=bool)
    for row, members in enumerate(itertools.chain(*families)):
        sets[row, list(members)] = True
    return sets, np.repeat([2.0 * len(family) for family in families], [len(family) for family in families])


def _tolerances(kind: Kind, sets: Masks, column: Column, others: Sequence[Column]) -> Floats:
    """Compute how far rounding, or cutting off the last digit, may take a column from the mean or sum of each set."""
    digits = np.where(sets, [other.decimals for other in others], 0).max(axis=1)
    factors = 1.0 if kind == "mean" else sets.sum(axis=1)
    return np.asarray(10.0**-column.decimals + factors * 10.0**-digits / 2 + 1e-9)


def _agreeing(kind: Kind, sets: Masks, tolerances: Floats, values: Floats, target: Floats, least: int) -> list[int]:
    """Find the sets whose mean or sum is the target in every line that has all of them, and in so many at least."""
    sizes = sets.sum(axis=1, keepdims=True)
    whole = sets.astype(float) @ (~np.isnan(values)).T.astype(float) == sizes
    combined = sets.astype(float) @ np.nan_to_num(values).T / (sizes if kind == "mean" else 1)
    agrees = np.abs(combined - target) <= tolerances[:, None]
    return [int(number) for number in np.flatnonzero((agrees | ~whole).all(axis=1) & (whole.sum(axis=1) >= least))]


def _chance(kind: Kind, values: Floats, tolerance: float) -> float:
    """Estimate how often a column without a tie to others would agree with their mean or sum in every line.

    The first line counts by how far its scores lie apart, each further one by how differently the columns move from
    the first line to it: models that hardly differ prove little.

    Args:
        values: lines x columns.
        tolerance: largest difference that counts as none.
    """
    factor = 1 if kind == "mean" else values.shape[1]
    spreads = [values[0].std(), *(values[1:] - values[0]).std(axis=1)]
    return float(np.prod([min(1.0, 2 * tolerance / (factor * spread)) if spread > 0 else 1.0 for spread in spreads]))
