"""Decide what each column of a table of scores is: points from 0 to 100, what is declared as such, or neither.

What cannot count as points is kept, with the reason: a hypothesis that needs it is refused by name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median

from orchestrator.analysis.score_means import Column, Derived, derived_columns
from search_spaces.claims import ColumnScale
from search_spaces.errors import InputError, Problems, nearest

_COSTS = re.compile(
    r"#|no\.?|idx|index|rank|#?\s*(?:params?|parameters|tokens|data|samples|images)|(?:model|image|data|batch)[\s_-]*size"
    r"|size|(?:.*[\s_-])?(?:hours|days|minutes|seconds|cost|price|energy|emissions)|(?:train(?:ing)?|inference|eval)[\s_-]*(?:time|cost)"
    r"|batch|checkpoint|ckpt|iterations?|iters?|(?:vis(?:ual)?\.?|vision|train(?:ing)?|image)[\s_-]*(?:tokens|data|samples)|[gmt]?flops|macs|latency|time|speed"
    r"|n|(?:.*[\s._:/-])?(?:\u00b1|\+/?-|std\.?[\s_-]*(?:dev|err(?:or)?)\.?|ci(?:[\s_-]*\d+)?|variance|var)|(?:.*[\s._:/-])?(?:std|stdev|stderr|sem)|throughput|fps|memory|vram|gpu[\s_-]*hours|epochs?|steps?|seed|year|date|lr|learning[\s_-]*rate|res\.?|resolution",
    re.IGNORECASE,
)
"""Names of columns that are no scores, without their unit in brackets."""
_BESIDE_A_SCORE = re.compile(
    r"[\s._:/-]*[(\[]?(?:n|num|count|total|size|samples|questions|correct|lo|hi|low|high|lower|upper|min|max|error|err|se|p"
    r"|ci[\s_-]*\d*[\s_-]*(?:lo|hi|low|high|lower|upper)?|(?:lower|upper)[\s_-]*(?:bound|ci)?|unparsable|unparsed|invalid|failed|refusals?"
    r"|yes[\s_-]*(?:ratio|rate|share)?|delta|diff|rank|prior|chance|majority)[)\]]?",
    re.IGNORECASE,
)
"""What may follow another column's name in the name of a number that only goes with its score: `gqa_n`, `gqa (hi)`."""
_LOWER_IS_BETTER = frozenset(
    (
        *(
            "chair",
            "chairs",
            "chairi",
            "hallucination",
            "hallucinations",
            "hal",
            "error",
            "errors",
            "err",
            "wer",
            "cer",
        ),
        *("perplexity", "ppl", "loss", "nll", "fid", "mae", "mse", "rmse", "ece", "brier", "fpr", "fnr", "toxicity"),
    )
)
"""Words in names of columns whose scores are the better the lower they are."""
_KNOWN_SCALES: Mapping[str, float] = {
    **{"mme": 2800, "mmep": 2000, "mmeperception": 2000, "mmec": 800, "mmecognition": 800, "ocrbench": 1000},
    **{"mmhal": 6, "mmhalbench": 6, "mtbench": 10},
}
"""Letters of a column's name -> the best possible score, for suggestions."""


@dataclass(frozen=True)
class Scores:
    """Columns of a table, in points where they can be."""

    points: Mapping[str, Mapping[str, float]]
    """Column -> model -> score, of all columns with numbers; those of `refused` as they stand in the file."""
    derived: Mapping[str, Derived]
    """Columns that `all` does not stand for, with what they are computed from."""
    costs: tuple[str, ...]
    """Columns that `all` does not stand for: sizes, dates, seeds."""
    refused: Mapping[str, str]
    """Column -> why it cannot be compared."""
    rounding: Mapping[str, float]
    """Column -> unit of its last digit, in points."""
    notes: tuple[str, ...]


def in_points(
    columns: Sequence[Column],
    arrows: Mapping[str, str],
    declared: Mapping[str, ColumnScale],
    place: str,
    aside: frozenset[str] = frozenset(),
) -> Scores:
    """Convert columns to points.

    Args:
        columns: those with numbers, in the order of the table.
        arrows: column -> `higher` or `lower`, where the header has an arrow.
        declared: column -> its scale and direction, as the claims declare it.
        place: the table, for errors.
        aside: lines that are no models, or in another unit: what scale a column has is not seen in them.

    Raises:
        InputError: a declared column that is not there, or that has scores beyond its scale.
    """
    _check_declared(columns, declared, place)
    beside = _beside_scores([column.name for column in columns])
    costs = tuple(c.name for c in columns if c.name not in declared and (is_cost(c.name) or c.name in beside))
    scales = {**{name: ColumnScale(better="lower") for name in _lower_by_arrow(columns, arrows)}, **declared}
    scores = [column for column in columns if column.name not in costs]
    derived = _derived(scores, declared)
    own = [_of_models(column, aside) for column in scores if column.name not in derived]
    fractions = _are_all_fractions([column for column in own if column.name not in declared])
    if fractions:
        scales = {**{c.name: ColumnScale(scale=1) for c in scores if c.name not in scales}, **scales}
    refused = _refusals(own, scales, arrows)
    points = {c.name: c.numbers if c.name in refused else _converted(c, scales.get(c.name)).numbers for c in columns}
    notes = (*_left_out(costs, derived), *_conversions(own, scales, declared, fractions))
    rounding = {c.name: 10.0**-c.decimals * 100 / scales.get(c.name, ColumnScale()).scale for c in columns}
    return Scores(points, derived, costs, refused, rounding, notes)


def _check_declared(columns: Sequence[Column], declared: Mapping[str, ColumnScale], place: str) -> None:
    problems, there = Problems(), {column.name: column for column in columns}
    for name, scale in declared.items():
        key = f"table.columns.{name}"
        if name not in there:
            law = f"must be a column with numbers ({', '.join(there)}), but got {name!r}"
            problems.add(InputError(law, place=place, key=key, way_out=nearest(name, there)))
            continue
        beyond = [number for number in there[name].numbers.values() if not 0 <= number <= scale.scale]
        if beyond:
            law = f"scores must lie between 0 and the scale, {scale.scale:g}, but {beyond[0]:g} does not"
            problems.add(InputError(law, place=place, key=key))
    problems.raise_all()


def _of_models(column: Column, aside: frozenset[str]) -> Column:
    numbers = {model: number for model, number in column.numbers.items() if model not in aside}
    return replace(column, numbers=numbers or column.numbers)


def is_cost(name: str) -> bool:
    """Tell whether a column's name is that of a size, a date or a seed."""
    return _COSTS.fullmatch(re.sub(r"\s*[(\[].*[)\]]\s*$", "", name).strip()) is not None


def _beside_scores(names: Sequence[str]) -> frozenset[str]:
    """List the columns that are called as another one, and what goes with its score: count, bounds, unread answers."""
    return frozenset(
        name
        for name in names
        for other in names
        if name != other
        and name.lower().startswith(other.lower())
        and _BESIDE_A_SCORE.fullmatch(name[len(other) :])
        and not name[len(other)].isalnum()
    )


def _lower_by_arrow(columns: Sequence[Column], arrows: Mapping[str, str]) -> list[str]:
    """List the columns that the header declares as the better the lower, and whose numbers can be percent."""
    return [c.name for c in columns if arrows.get(c.name) == "lower" and 1 < max(c.numbers.values()) <= 100]


def _derived(scores: Sequence[Column], declared: Mapping[str, ColumnScale]) -> dict[str, Derived]:
    """Find the columns that are computed from others, as they stand in the file or in points."""
    kept = frozenset(declared)
    found = derived_columns(scores, kept)
    points = [_converted(column, declared.get(column.name)) for column in scores]
    return found if not declared else {**derived_columns(points, kept), **found}


def _are_all_fractions(columns: Sequence[Column]) -> bool:
    numbers = [number for column in columns for number in column.numbers.values()]
    return bool(numbers) and min(numbers) >= 0 and 0 < max(numbers) <= 1


def _converted(column: Column, scale: ColumnScale | None) -> Column:
    if scale is None or (scale.scale == 100 and scale.better == "higher"):
        return column
    points = {model: 100 * number / scale.scale for model, number in column.numbers.items()}
    if scale.better == "lower":
        points = {model: 100 - number for model, number in points.items()}
    return replace(column, numbers=points)


def _refusals(
    columns: Sequence[Column], scales: Mapping[str, ColumnScale], arrows: Mapping[str, str]
) -> dict[str, str]:
    """Find the columns whose numbers cannot be points, with the reason and what to declare."""
    asked = [column for column in columns if column.name not in scales]
    reasons = {column.name: _reason(column, columns, arrows.get(column.name)) for column in asked}
    return {name: reason for name, reason in reasons.items() if reason is not None}


def _reason(column: Column, columns: Sequence[Column], arrow: str | None) -> str | None:
    """State why a column's numbers cannot be points from 0 to 100, higher being better; None where they can."""
    name, numbers = column.name, sorted(column.numbers.values())
    low, high = numbers[0], numbers[-1]
    known = _KNOWN_SCALES.get(re.sub("[^a-z]", "", name.lower()))
    scale = f"{known:g}" if known else "BEST"
    lower = arrow == "lower" or (arrow is None and bool(_LOWER_IS_BETTER & set(re.findall("[a-z]+", name.lower()))))
    if low < 0:
        return f"{name} goes down to {low:g}, and points begin at 0; {_way_out(name, scale=None)}"
    if high > 100:
        span = f"{name} goes up to {high:g}, and points end at 100"
        return f"{span}; {_way_out(name, scale=scale, better='lower' if lower else None)}"
    if lower:
        return f"{name} is the better the lower, by its name; {_way_out(name, scale='100', better='lower')}"
    if known and known < 100 and high <= known:
        return f"{name} has scores up to {known:g}; {_way_out(name, scale=scale)}"
    positive = [number for number in numbers if number > 0]
    if high > 20 and positive and positive[0] <= 1:
        mixed = f"{name} has {positive[0]:g} beside {high:g}: fractions beside percent"
        return f"{mixed}; mend it, or {_way_out(name, scale='100')}"
    others = [median(other.numbers.values()) for other in columns if other is not column]
    if high <= 1 and others and max(others) > 1:
        return f"{name} holds fractions ({low:g} to {high:g}) beside percent; {_way_out(name, scale='1')}"
    if high <= 10 and others and min(others) > 20:
        small = f"{name} has nothing above {high:g} where the other columns have {min(others):g} and more"
        return f"{small}; {_way_out(name, scale=scale)} (100 if these are percent)"
    return None


def _way_out(name: str, scale: str | None, better: str | None = None) -> str:
    leave = f"leave {name} out of `on`"
    if scale is None:
        return leave
    entry = f"scale: {scale}" + (f", better: {better}" if better else "")
    return f"declare `table: {{columns: {{{name}: {{{entry}}}}}}}` beside the hypotheses, or {leave}"


def _left_out(costs: Sequence[str], derived: Mapping[str, Derived]) -> Iterable[str]:
    if costs:
        yield f"Left out: {', '.join(costs)}, by name no score."
    for name, what in derived.items():
        yield f"Left out: {name} {what.sentence}."


def _conversions(
    columns: Sequence[Column],
    scales: Mapping[str, ColumnScale],
    declared: Mapping[str, ColumnScale],
    fractions: bool,
) -> Iterable[str]:
    if fractions:
        yield "All scores lie between 0 and 1: they are fractions, and count 100 times as points."
    for column in columns:
        scale = scales.get(column.name)
        if scale is None or (fractions and column.name not in declared):
            continue
        if scale.better == "lower":
            source = "as declared" if column.name in declared else "by the arrow in the header"
            yield f"{column.name} counts as 100 - 100 x score / {scale.scale:g} points: lower is better, {source}."
        elif scale.scale != 100:
            yield f"{column.name} counts as 100 x score / {scale.scale:g} points, as declared."
