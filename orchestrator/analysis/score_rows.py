"""Find lines of a table of scores that are in another unit than the others: fractions or permille among percent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import median

from orchestrator.analysis.score_means import Column
from search_spaces.claims import RowScale
from search_spaces.errors import InputError, Problems, nearest

_FRACTIONS_BELOW = 1 / 20
"""Fractions are a hundredth of percent, so that a line of them has a ratio near .01 to lines of percent. A model that
fails everywhere may have such a ratio, too: only numbers of at most 1 are taken for fractions."""
_PERMILLE_ABOVE = 5.0
"""Lines of permille have a ratio near 10. Only numbers beyond 100 are taken for it: others may be a good model's."""


def odd_rows(columns: Sequence[Column], aside: frozenset[str]) -> dict[str, str]:
    """Find the models whose numbers are in another unit than those of the others.

    A line is compared by the median, over the columns, of its number by the median of the other lines': one column in
    which a model fails says nothing, and the scale of a column falls out.

    Args:
        columns: those with scores, as they stand in the file.
        aside: lines that are no models, or whose unit is declared.

    Returns:
        Model -> what is wrong with its line, and the way out.
    """
    models = list(dict.fromkeys(model for column in columns for model in column.numbers if model not in aside))
    rows = {model: [column.numbers[model] for column in columns if model in column.numbers] for model in models}
    in_fractions = [model for model in models if 0 < max(rows[model]) <= 1]
    reasons = {}
    for model in models:
        ratios = _ratios(model, columns, aside)
        if not ratios:
            continue
        ratio, typical = median(ratios), median(rows[model])
        if 0 < ratio < _FRACTIONS_BELOW and typical <= 1:
            reasons[model] = _reason(model, rows[model], "fractions", "1", columns, aside)
        elif ratio > 1 / _FRACTIONS_BELOW and typical > 1 and 2 * len(in_fractions) > len(models):
            reasons[model] = _reason(model, rows[model], "percent", "100", columns, aside)
        elif ratio > _PERMILLE_ABOVE and typical > 100:
            reasons[model] = _reason(model, rows[model], "permille", "1000", columns, aside)
    return reasons


def in_one_unit(
    columns: Sequence[Column], rows: Mapping[str, RowScale], declared: frozenset[str], place: str
) -> tuple[Column, ...]:
    """Turn the numbers of lines with a declared unit into points.

    Args:
        columns: those with scores, as they stand in the file.
        rows: model -> the unit of its line.
        declared: columns whose own unit is declared, which stay as they are.
        place: the table, for errors.

    Raises:
        InputError: a declared model that is not there, or one whose scores go beyond its scale.
    """
    problems, there = Problems(), {model: "" for column in columns for model in column.numbers}
    for model, scale in rows.items():
        key = f"table.models.{model}"
        if model not in there:
            law = f"must be a model of the table, but got {model!r}"
            problems.add(InputError(law, place=place, key=key, way_out=nearest(model, there)))
            continue
        numbers = [c.numbers[model] for c in columns if model in c.numbers and c.name not in declared]
        highest = max(numbers, default=0.0)
        if highest > scale.scale:
            law = f"scores must lie between 0 and the scale, {scale.scale:g}, but {highest:g} does not"
            problems.add(InputError(law, place=place, key=key))
    problems.raise_all()
    factors = {model: 100 / scale.scale for model, scale in rows.items()}
    return tuple(
        column
        if column.name in declared
        else replace(column, numbers={m: number * factors.get(m, 1.0) for m, number in column.numbers.items()})
        for column in columns
    )


def row_notes(rows: Mapping[str, RowScale]) -> list[str]:
    """State which lines were converted, and how."""
    return [
        f"{model} counts as 100 x score / {scale.scale:g} points, as declared."
        for model, scale in rows.items()
        if scale.scale != 100
    ]


def _ratios(model: str, columns: Sequence[Column], aside: frozenset[str]) -> list[float]:
    """Divide a model's numbers by the median of the other models' on the same column, where that is above 0."""
    ratios = []
    for column in columns:
        others = [number for name, number in column.numbers.items() if name != model and name not in aside]
        if model in column.numbers and others and median(others) > 0:
            ratios.append(column.numbers[model] / median(others))
    return ratios


def _reason(
    model: str, row: Sequence[float], unit: str, scale: str, columns: Sequence[Column], aside: frozenset[str]
) -> str:
    shared = [column.numbers for column in columns if model in column.numbers]
    lines = [[number for m, number in numbers.items() if m != model and m not in aside] for numbers in shared]
    others = [median(line) for line in lines if line]
    seen = (
        f"{model} has {min(row):g} to {max(row):g} where the median of the others is {min(others):g} to {max(others):g}"
    )
    way_out = f"mend it, or declare `table: {{models: {{{model}: {{scale: {scale}}}}}}}` beside the hypotheses"
    return f"{seen}: the line looks like {unit}; {way_out}"
