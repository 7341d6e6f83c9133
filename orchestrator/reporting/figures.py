"""The figures of the HTML report. Each is drawn from the model, and stands beside a table of the same numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from markupsafe import Markup

from orchestrator.analysis.effects import Estimate
from orchestrator.analysis.number_text import ends_text, signed
from orchestrator.reporting.figure_data import Bar, PricedArm, PricedArms, label_places
from orchestrator.reporting.prior_lines import best_prior, prior_level, prior_title, with_prior
from orchestrator.reporting.report_model import AxisCurve, Cell, Report
from orchestrator.reporting.svg import Scale, element, figure_svg, percent, tick_text, titled

BAR_HEIGHT = 26
RULER_HEIGHT = 22
PANEL_HEIGHT = 170
PARETO_HEIGHT = 300
PAGE_WIDTH = 900.0
"""Pixels of a page of usual width."""
PAD = 0.06
"""Room at the sides of a panel, as a share of its width."""


def forest_scale(bars: Sequence[Bar]) -> Scale:
    """Scale the horizontal axis so that every interval and 0 fit."""
    return Scale.over((x for bar in bars for x in bar.extent), zero=True, n_ticks=6)


def ruler(scale: Scale) -> Markup:
    """Draw the labels of an axis of differences."""
    return _ruler(scale, [f"{tick:+g}" if tick else "0" for tick in scale.ticks])


def score_ruler(scale: Scale) -> Markup:
    """Draw the labels of an axis of scores."""
    return _ruler(scale, [tick_text(tick) for tick in scale.ticks])


def _ruler(scale: Scale, labels: Sequence[str]) -> Markup:
    texts = [
        element("text", label, x=scale.x(tick), y=15.0, class_="tick mid")
        for label, tick in zip(labels, scale.ticks, strict=True)
        if 0.03 < scale.at(tick) < 0.97
    ]
    return figure_svg(texts, RULER_HEIGHT, "ruler")


def forest_bar(bar: Bar, scale: Scale) -> Markup:
    """Draw effect and interval of one line, the line of no effect, and the margin around it.

    Args:
        bar: values in the unit of `scale`.
        scale: of the horizontal axis.
    """
    middle = BAR_HEIGHT / 2
    marks = _grid(scale)
    if bar.margin is not None:
        low, high = max(-bar.margin, scale.low), min(bar.margin, scale.high)
        width = percent(scale.at(high) - scale.at(low))
        said = f"margin: {bar.margin:g}"
        marks.append(titled("rect", said, x=scale.x(low), width=width, y=0, height=BAR_HEIGHT, class_="margin"))
    marks.append(element("line", x1=scale.x(0), x2=scale.x(0), y1=0, y2=BAR_HEIGHT, class_="zero"))
    if bar.value is not None:
        dot = element("circle", cx=scale.x(bar.value), cy=middle, r=4.5, class_=f"dot {bar.kind}")
        if bar.interval is None:
            marks.append(element("g", element("title", f"{signed(bar.value)}, without an interval"), dot))
        else:
            title = element("title", f"{signed(bar.value)} ({ends_text(*bar.interval)})")
            marks.append(element("g", title, *_whisker(bar.interval, scale, f"whisker {bar.kind}"), dot))
    return figure_svg(marks, BAR_HEIGHT, "forest")


def _whisker(interval: tuple[float, float], scale: Scale, class_: str) -> list[Markup]:
    """Draw an interval along the middle of a bar, with a short upright line at each end."""
    low, high = map(scale.x, interval)
    middle = BAR_HEIGHT / 2
    ends = [element("line", x1=x, x2=x, y1=middle - 4, y2=middle + 4, class_=class_) for x in (low, high)]
    return [element("line", x1=low, x2=high, y1=middle, y2=middle, class_=class_), *ends]


def seed_scale(report: Report) -> Scale:
    """Scale the horizontal axis so that every seed and every interval of a mean fit."""
    values = [value for row in report.rows for value in row.mean.by_seed.values()]
    estimates = [row.mean.estimate.interval for row in report.rows if row.mean.estimate is not None]
    values += [x for interval in estimates for x in (interval.low, interval.high)]
    return Scale.over(with_prior(values, best_prior(report, None)), n_ticks=6)


def seed_strip(cell: Cell, scale: Scale, prior: float | None = None) -> Markup:
    """Draw the score of every seed as a ring, the mean as a bar, its interval as a line.

    Args:
        cell: the scores.
        scale: of the horizontal axis.
        prior: score of what needs no image, a dashed line where the axis reaches it.
    """
    middle = BAR_HEIGHT / 2
    marks = _grid(scale)
    if prior is not None and scale.low <= prior <= scale.high:
        x = scale.x(prior)
        marks.append(titled("line", prior_title(prior), x1=x, x2=x, y1=0, y2=BAR_HEIGHT, class_="prior"))
    if cell.estimate is not None:
        interval, mean = cell.estimate.interval, scale.x(cell.estimate.value)
        ends = {"x1": scale.x(interval.low), "x2": scale.x(interval.high)}
        line = element("line", **ends, y1=middle, y2=middle, class_="whisker")
        bar = element("line", x1=mean, x2=mean, y1=middle - 8, y2=middle + 8, class_="mean")
        marks.append(element("g", element("title", f"mean {_said(cell.estimate)}"), line, bar))
    marks += [
        titled("circle", f"seed {seed}: {value:.1f}", cx=scale.x(value), cy=middle, r=4.0, class_="seed")
        for seed, value in cell.by_seed.items()
    ]
    return figure_svg(marks, BAR_HEIGHT, "strip")


def axis_panel(curve: AxisCurve, cells: Sequence[Cell], what: str, prior: float | None = None) -> Markup:
    """Draw score against the values of an axis: seeds as rings beside their mean, intervals upright.

    Means are joined where the values are numbers. Labels that do not fit are numbers (`panel_key`).

    Args:
        curve: the values of the axis, and their arms.
        cells: of the curve's points.
        what: name of the score, for screen readers.
        prior: score of what needs no image, a dashed line where the axis reaches it.
    """
    values = [value for cell in cells for value in _drawn_values(cell)]
    scale = Scale.over(with_prior(values, prior), n_ticks=4, margin=0.06)
    marks = [level_line(scale, tick, PANEL_HEIGHT) for tick in scale.ticks] + prior_level(scale, prior, PANEL_HEIGHT)
    labels = [point.label for point in curve.points] if _labels_fit(curve) else list(map(str, _counted(curve)))
    means = []
    for point, cell, place, label in zip(curve.points, cells, axis_places(curve), labels, strict=True):
        x = percent(place)
        marks += [_value_label(label, place), *_spread(point.label, cell, x, scale)]
        if cell.estimate is not None:
            said = f"{point.label}{' (base)' if point.is_base else ''}: {_said(cell.estimate)}"
            means.append((x, scale.y(cell.estimate.value, PANEL_HEIGHT), "dot base" if point.is_base else "dot", said))
    if curve.is_numeric:
        marks += [element("line", x1=a[0], y1=a[1], x2=b[0], y2=b[1], class_="curve") for a, b in pairwise(means)]
    dots = [titled("circle", said, cx=x, cy=y, r=4.5, class_=name) for x, y, name, said in means]
    spoken = ", ".join(
        f"{point.label} {cell.estimate.value:.1f}"
        for point, cell in zip(curve.points, cells, strict=True)
        if cell.estimate is not None
    )
    return figure_svg([*marks, *dots], PANEL_HEIGHT + 22, "panel", f"{what} against {curve.axis}: {spoken}")


def _drawn_values(cell: Cell) -> tuple[float, ...]:
    """List the values that a panel shows of a score: the ends of its interval and its seeds."""
    if cell.estimate is None:
        return ()
    return (cell.estimate.interval.low, cell.estimate.interval.high, *cell.by_seed.values())


def _said(estimate: Estimate) -> str:
    """Write a mean score with its interval, as a table does."""
    return f"{estimate.value:.1f} ({estimate.interval.low:.1f} to {estimate.interval.high:.1f})"


def _spread(label: str, cell: Cell, x: str, scale: Scale) -> list[Markup]:
    """Draw the interval and the seeds of a score at a place of the panel, or that there is no score.

    Args:
        label: of the value.
        cell: its score.
        x: place along the width.
        scale: of the upright axis.
    """
    if cell.estimate is None:
        return [element("text", "no score", x=x, y=PANEL_HEIGHT - 6, class_="tick mid absent")]
    interval = cell.estimate.interval
    top, bottom = scale.y(interval.high, PANEL_HEIGHT), scale.y(interval.low, PANEL_HEIGHT)
    return [
        titled("line", f"{label}: {_said(cell.estimate)}", x1=x, x2=x, y1=top, y2=bottom, class_="whisker"),
        *(
            titled(
                "circle",
                f"{label}, seed {seed}: {value:.1f}",
                cx=x,
                cy=scale.y(value, PANEL_HEIGHT),
                r=3.5,
                class_="seed",
                transform="translate(-10)",
            )
            for seed, value in cell.by_seed.items()
        ),
    ]


def panel_key(curve: AxisCurve) -> str:
    """Explain the numbers below a panel; empty where the labels themselves fit."""
    if _labels_fit(curve):
        return ""
    return ", ".join(f"{i} {point.label}" for i, point in zip(_counted(curve), curve.points, strict=True))


@dataclass(frozen=True)
class _Spot:
    """An arm in the plane of price and score. `x` as a share of the width, `y` in pixels."""

    priced: PricedArm
    x: float
    y: float


def pareto(priced: PricedArms, prior: float | None = None) -> Markup:
    """Draw score against the price of one trial; arms that nothing beats are joined, numbers are those of the table.

    Args:
        priced: the arms.
        prior: score of what needs no image, a dashed line where the axis reaches it.
    """
    across = Scale.over((arm.price for arm in priced.arms), n_ticks=5, margin=0.08)
    up = Scale.over(with_prior([arm.score for arm in priced.arms], prior), n_ticks=5, margin=0.1)
    spots = {arm.arm: _Spot(arm, across.at(arm.price), up.y(arm.score, PARETO_HEIGHT)) for arm in priced.arms}
    marks = [level_line(up, tick, PARETO_HEIGHT) for tick in up.ticks] + prior_level(up, prior, PARETO_HEIGHT)
    marks += [
        element("text", tick_text(tick), x=across.x(tick), y=PARETO_HEIGHT + 16, class_="tick mid")
        for tick in across.ticks
    ]
    marks.append(element("text", f"{priced.unit} of one trial", x="100%", y=PARETO_HEIGHT + 34, class_="tick end"))
    front = [spots[arm.arm] for arm in priced.front]
    for spot, following in pairwise(front):
        corner = percent(following.x)
        marks.append(element("line", x1=percent(spot.x), y1=spot.y, x2=corner, y2=spot.y, class_="front"))
        marks.append(element("line", x1=corner, y1=spot.y, x2=corner, y2=following.y, class_="front"))
    for spot in spots.values():
        kind = "dot" if spot.priced.is_pareto else "seed"
        said = f"{spot.priced.number} {spot.priced.arm}: {spot.priced.score:.1f}, {spot.priced.price:.3g} {priced.unit}"
        marks.append(titled("circle", said, cx=percent(spot.x), cy=spot.y, r=5.0, class_=kind))
    pixels = [(spot.x * PAGE_WIDTH, spot.y) for spot in spots.values()]
    for spot, (x, y) in zip(spots.values(), label_places(pixels, letter=12), strict=True):
        marks.append(element("text", str(spot.priced.number), x=percent(x / PAGE_WIDTH), y=y, class_="number mid"))
    spoken = ", ".join(arm.arm for arm in priced.front)
    label = f"Mean score against {priced.unit} of one trial. Not beaten in both: {spoken}"
    return figure_svg(marks, PARETO_HEIGHT + 40, "panel", label)


def axis_places(curve: AxisCurve) -> list[float]:
    """Place the points of an axis along the width, by their numbers or evenly, as shares of it."""
    numbers = [float(i if point.number is None else point.number) for i, point in enumerate(curve.points)]
    low, high = min(numbers), max(numbers)
    return [PAD + (1 - 2 * PAD) * (number - low) / (high - low) for number in numbers]


def _labels_fit(curve: AxisCurve) -> bool:
    """Tell whether the labels fit side by side below a panel that is as narrow as on a phone."""
    panel_width, letter = 270.0, 7.0
    spots = list(zip(axis_places(curve), (letter * len(point.label) for point in curve.points), strict=True))
    return all(
        (b - a) * panel_width > (width_a + width_b) / 2 + letter for (a, width_a), (b, width_b) in pairwise(spots)
    )


def _counted(curve: AxisCurve) -> range:
    return range(1, len(curve.points) + 1)


def _value_label(label: str, place: float) -> Markup:
    """Draw a label below its point; a long one at the border grows inwards."""
    is_long = len(label) > 6
    if is_long and place < 0.25:
        where = {"x": "0%", "class_": "tick"}
    elif is_long and place > 0.75:
        where = {"x": "100%", "class_": "tick end"}
    else:
        where = {"x": percent(place), "class_": "tick mid"}
    return element("text", label, y=PANEL_HEIGHT + 16, **where)


def _grid(scale: Scale) -> list[Markup]:
    """Draw upright lines at the ticks, as high as a bar."""
    return [
        element("line", x1=scale.x(tick), x2=scale.x(tick), y1=0, y2=BAR_HEIGHT, class_="grid") for tick in scale.ticks
    ]


def level_line(scale: Scale, tick: float, height: float) -> Markup:
    """Draw the level of a tick across a panel of this height in pixels, with its number at the left."""
    y = scale.y(tick, height)
    line = element("line", x1="0%", x2="100%", y1=y, y2=y, class_="grid")
    return line + element("text", tick_text(tick), x=-6, y=y + 4, class_="tick end")
