"""The figures of the HTML report. Each is drawn from the model, and stands beside a table of the same numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from markupsafe import Markup

from orchestrator.reporting.model import ArmCost, AxisCurve, Cell, Report, Row
from orchestrator.reporting.svg import Scale, element, figure_svg, percent, tick_text

BAR_HEIGHT = 26
RULER_HEIGHT = 22
PANEL_HEIGHT = 170
PARETO_HEIGHT = 300
PAD = 0.06
"""Room at the sides of a panel, as a share of its width."""


@dataclass(frozen=True)
class Bar:
    """One line of a forest plot."""

    label: str
    value: float | None
    low: float = 0.0
    high: float = 0.0
    kind: str = "open"
    """Class of its colour: `yes`, `no`, `open`; of arms `higher`, `lower`, `level`."""


def forest_scale(bars: Sequence[Bar]) -> Scale:
    return Scale.over((x for bar in bars if bar.value is not None for x in (bar.low, bar.high)), zero=True, n_ticks=6)


def ruler(scale: Scale) -> Markup:
    """The labels of an axis of differences."""
    return _ruler(scale, [f"{tick:+g}" if tick else "0" for tick in scale.ticks])


def score_ruler(scale: Scale) -> Markup:
    """The labels of an axis of scores."""
    return _ruler(scale, [tick_text(tick) for tick in scale.ticks])


def _ruler(scale: Scale, labels: Sequence[str]) -> Markup:
    texts = [
        element("text", label, x=scale.x(tick), y=15.0, class_="tick mid")
        for label, tick in zip(labels, scale.ticks, strict=True)
        if 0.03 < scale.at(tick) < 0.97
    ]
    return figure_svg(texts, RULER_HEIGHT, "ruler")


def forest_bar(bar: Bar, scale: Scale, margin: float | None = None) -> Markup:
    """Interval and effect of one line, the line of no effect, and the margin around it where there is one."""
    middle = BAR_HEIGHT / 2
    marks = [
        element("line", x1=scale.x(tick), x2=scale.x(tick), y1=0, y2=BAR_HEIGHT, class_="grid") for tick in scale.ticks
    ]
    if margin is not None:
        low, high = max(-margin, scale.low), min(margin, scale.high)
        width = percent(scale.at(high) - scale.at(low))
        marks.append(element("rect", x=scale.x(low), width=width, y=0, height=BAR_HEIGHT, class_="margin"))
    marks.append(element("line", x1=scale.x(0), x2=scale.x(0), y1=0, y2=BAR_HEIGHT, class_="zero"))
    if bar.value is not None:
        ends = {"x1": scale.x(bar.low), "x2": scale.x(bar.high)}
        marks.append(element("line", **ends, y1=middle, y2=middle, class_=f"whisker {bar.kind}"))
        for end in (bar.low, bar.high):
            marks.append(
                element(
                    "line", x1=scale.x(end), x2=scale.x(end), y1=middle - 4, y2=middle + 4, class_=f"whisker {bar.kind}"
                )
            )
        marks.append(element("circle", cx=scale.x(bar.value), cy=middle, r=4.5, class_=f"dot {bar.kind}"))
    return figure_svg(marks, BAR_HEIGHT, "forest")


def seed_scale(report: Report) -> Scale:
    values = [value for row in report.rows for value in row.mean.by_seed.values()]
    estimates = [row.mean.estimate.interval for row in report.rows if row.mean.estimate is not None]
    return Scale.over([*values, *(x for one in estimates for x in (one.low, one.high))], n_ticks=6)


def seed_strip(cell: Cell, scale: Scale) -> Markup:
    """The score of every seed as a ring, the mean as a bar, its interval as a line."""
    middle = BAR_HEIGHT / 2
    marks = [
        element("line", x1=scale.x(tick), x2=scale.x(tick), y1=0, y2=BAR_HEIGHT, class_="grid") for tick in scale.ticks
    ]
    if cell.estimate is not None:
        interval, mean = cell.estimate.interval, scale.x(cell.estimate.value)
        marks.append(
            element("line", x1=scale.x(interval.low), x2=scale.x(interval.high), y1=middle, y2=middle, class_="whisker")
        )
        marks.append(element("line", x1=mean, x2=mean, y1=middle - 8, y2=middle + 8, class_="mean"))
    marks += [element("circle", cx=scale.x(value), cy=middle, r=4.0, class_="seed") for value in cell.by_seed.values()]
    return figure_svg(marks, BAR_HEIGHT, "strip")


def axis_panel(curve: AxisCurve, cells: Sequence[Cell], what: str) -> Markup:
    """Score against the values of an axis: seeds as rings, means joined, intervals upright. `cells`: of its points."""
    drawn = [(point, cell) for point, cell in zip(curve.points, cells, strict=True) if cell.estimate is not None]
    intervals = [cell.estimate.interval for _, cell in drawn if cell.estimate is not None]
    seeds = [value for _, cell in drawn for value in cell.by_seed.values()]
    scale = Scale.over([*(x for one in intervals for x in (one.low, one.high)), *seeds], n_ticks=4, margin=0.06)
    places = _places(curve)
    marks = [_level(scale, tick, PANEL_HEIGHT) for tick in scale.ticks]
    means = []
    for (point, place), cell in zip(zip(curve.points, places, strict=True), cells, strict=True):
        marks.append(_value_label(point.label, place))
        if cell.estimate is None:
            marks.append(element("text", "no score", x=percent(place), y=PANEL_HEIGHT - 6, class_="tick mid absent"))
            continue
        interval = cell.estimate.interval
        x, y = percent(place), scale.y(cell.estimate.value, PANEL_HEIGHT)
        top, bottom = scale.y(interval.high, PANEL_HEIGHT), scale.y(interval.low, PANEL_HEIGHT)
        marks.append(element("line", x1=x, x2=x, y1=top, y2=bottom, class_="whisker"))
        marks += [
            element("circle", cx=x, cy=scale.y(value, PANEL_HEIGHT), r=3.5, class_="seed", transform="translate(-10)")
            for value in cell.by_seed.values()
        ]
        means.append((x, y, "dot base" if point.is_base else "dot"))
    lines = [element("line", x1=a[0], y1=a[1], x2=b[0], y2=b[1], class_="curve") for a, b in pairwise(means)]
    dots = [element("circle", cx=x, cy=y, r=4.5, class_=name) for x, y, name in means]
    spoken = ", ".join(f"{point.label} {cell.estimate.value:.1f}" for point, cell in drawn if cell.estimate is not None)
    label = f"{what} against {curve.axis}: {spoken}"
    return figure_svg([*marks, *lines, *dots], PANEL_HEIGHT + 22, "panel", label)


def pareto(rows: Sequence[Row], costs: Sequence[ArmCost]) -> Markup:
    """Score against the price of one trial; what nothing beats is filled and joined. Numbers are those of the table."""
    scores = {row.arm: row.mean.estimate for row in rows if row.mean.estimate is not None}
    points = [(i, one, scores[one.arm]) for i, one in enumerate(costs, start=1) if one.arm in scores]
    across = Scale.over((one.hours_per_trial * 3600 for _, one, _ in points), n_ticks=5, margin=0.08)
    up = Scale.over((estimate.value for _, _, estimate in points), n_ticks=5, margin=0.1)
    marks = [_level(up, tick, PARETO_HEIGHT) for tick in up.ticks]
    unit, divisor = ("GPU-hours", 3600.0) if across.high > 720 else ("GPU-seconds", 1.0)
    across = Scale.over((one.hours_per_trial * 3600 / divisor for _, one, _ in points), n_ticks=5, margin=0.08)
    marks += [
        element("text", tick_text(tick), x=across.x(tick), y=PARETO_HEIGHT + 16, class_="tick mid")
        for tick in across.ticks
    ]
    marks.append(element("text", f"{unit} of one trial", x="100%", y=PARETO_HEIGHT + 34, class_="tick end"))
    placed = [
        (i, one, across.at(one.hours_per_trial * 3600 / divisor), up.y(estimate.value, PARETO_HEIGHT))
        for i, one, estimate in points
    ]
    front = sorted(
        (place for place in placed if place[1].is_pareto), key=lambda place: (place[1].hours_per_trial, -place[3])
    )
    for (_, _, x1, y1), (_, _, x2, y2) in pairwise(front):
        marks.append(element("line", x1=percent(x1), y1=y1, x2=percent(x2), y2=y1, class_="front"))
        marks.append(element("line", x1=percent(x2), y1=y1, x2=percent(x2), y2=y2, class_="front"))
    for _, one, x, y in placed:
        marks.append(element("circle", cx=percent(x), cy=y, r=5.0, class_="dot" if one.is_pareto else "seed"))
    for (i, _, _, _), (x, y) in zip(placed, _beside([(x, y) for _, _, x, y in placed]), strict=True):
        marks.append(element("text", str(i), x=percent(x), y=y, class_="number mid"))
    spoken = ", ".join(place[1].arm for place in front)
    label = f"Mean score against {unit} of one trial. Not beaten in both: {spoken}"
    return figure_svg(marks, PARETO_HEIGHT + 40, "panel", label)


def _beside(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Where the numbers of points go: above, below or beside, the first that is free on a page of usual width."""
    width = 900.0
    taken = [(x * width, y) for x, y in points]
    found = []
    for x, y in points:
        ways = [(x * width, y - 9), (x * width, y + 19), (x * width + 14, y + 4), (x * width - 14, y + 4)]
        free = (way for way in ways if all(abs(way[0] - a) > 11 or abs(way[1] - 4 - b) > 11 for a, b in taken))
        way = next(free, ways[0])
        taken.append((way[0], way[1] - 4))
        found.append((way[0] / width, way[1]))
    return found


def _places(curve: AxisCurve) -> list[float]:
    """Of the points along the width: by their numbers, or evenly."""
    numbers = [point.number for point in curve.points if point.number is not None]
    if len(numbers) == len(curve.points):
        low, high = min(numbers), max(numbers)
        shares = [(number - low) / (high - low) for number in numbers]
    else:
        shares = [i / (len(curve.points) - 1) for i in range(len(curve.points))]
    return [PAD + (1 - 2 * PAD) * share for share in shares]


def _value_label(label: str, place: float) -> Markup:
    """Below its point; a long one at the border grows inwards."""
    is_long = len(label) > 6
    if is_long and place < 0.25:
        where = {"x": "0%", "class_": "tick"}
    elif is_long and place > 0.75:
        where = {"x": "100%", "class_": "tick end"}
    else:
        where = {"x": percent(place), "class_": "tick mid"}
    return element("text", label, y=PANEL_HEIGHT + 16, **where)


def _level(scale: Scale, tick: float, height: float) -> Markup:
    y = scale.y(tick, height)
    line = element("line", x1="0%", x2="100%", y1=y, y2=y, class_="grid")
    return line + element("text", tick_text(tick), x=-6, y=y + 4, class_="tick end")
