"""Draw the figures of a report with matplotlib, a function for each, as wide as a column of the journal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from orchestrator.analysis.verdict_model import Verdict
from orchestrator.figures.panels import (
    broken_label,
    columns_of,
    draw_prior,
    fits_side_by_side,
    panel_axes,
    row_axes,
)
from orchestrator.figures.style import DOT_PT, LETTERS_PT, bar_colour, palette
from orchestrator.reporting.figure_data import Bar, arm_bar, claim_bar, curve_cells, label_places, priced_arms
from orchestrator.reporting.figures import axis_places
from orchestrator.reporting.prior_lines import best_prior, with_prior
from orchestrator.reporting.report_model import AxisCurve, Cell, Finding, Report, Row
from orchestrator.reporting.svg import Scale
from orchestrator.reporting.training import LossCurve


def claims(report: Report, width_in: float, shown: Sequence[Verdict]) -> Figure:
    """Draw the effects of claims with their intervals and margins.

    Args:
        report: all of whose claims fit the scale, so that figures can be compared.
        width_in: of the figure, in inches.
        shown: claims of this figure.
    """
    figure, axes = row_axes(width_in, [verdict.id for verdict in shown])
    _forest(axes, [claim_bar(verdict) for verdict in shown], map(claim_bar, report.verdicts.verdicts))
    axes.set_xlabel(" or ".join(dict.fromkeys(verdict.unit for verdict in shown)))
    return figure


def forest(report: Report, width_in: float, shown: Sequence[Finding]) -> Figure:
    """Draw the differences of arms to the base with their intervals.

    Args:
        report: all of whose arms fit the scale, so that figures can be compared.
        width_in: of the figure, in inches.
        shown: arms of this figure.
    """
    figure, axes = row_axes(width_in, [finding.arm for finding in shown])
    _forest(axes, [arm_bar(finding) for finding in shown], map(arm_bar, report.findings))
    axes.set_xlabel(f"points above {report.base}")
    return figure


def _forest(axes: Axes, bars: Sequence[Bar], scaled: Iterable[Bar]) -> None:
    scale = Scale.over((x for bar in scaled for x in bar.extent), zero=True)
    axes.set_xlim(scale.low, scale.high)
    axes.axvline(0, color=palette()["muted"], linewidth=0.8, zorder=1)
    for row, bar in enumerate(bars):
        if bar.value is None:
            continue
        if bar.margin is not None:
            low, high = max(-bar.margin, scale.low), min(bar.margin, scale.high)
            band = Rectangle((low, row - 0.5), high - low, 1, color=palette()["muted"], alpha=0.14, linewidth=0)
            axes.add_patch(band)
        colour = bar_colour(bar.kind)
        axes.errorbar(
            bar.value,
            row,
            xerr=None if bar.interval is None else [[bar.value - bar.interval[0]], [bar.interval[1] - bar.value]],
            color=colour,
            fmt="o",
            markersize=DOT_PT,
            capsize=1.8,
            capthick=0.9,
        )


def axes(report: Report, width_in: float, shown: Sequence[AxisCurve]) -> Figure:
    """Draw the mean score along axes: seeds as rings, their mean as a dot, intervals upright.

    Args:
        report: whose scores they are.
        width_in: of the figure, in inches.
        shown: axes of this figure, a panel for each.
    """
    figure, panels = panel_axes(width_in, [curve.axis for curve in shown])
    figure.supylabel("score", color=palette()["muted"], fontsize=LETTERS_PT)
    room_in = width_in / columns_of(panels) - 0.45
    for panel, curve in zip(panels, shown, strict=True):
        _axis(panel, curve, curve_cells(report, curve, None), best_prior(report, None), room_in)
    return figure


def _axis(panel: Axes, curve: AxisCurve, cells: Sequence[Cell], prior: float | None, room_in: float) -> None:
    places = axis_places(curve)
    values = [value for cell in cells for value in _values(cell)]
    scale = Scale.over(with_prior(values, prior), margin=0.06)
    panel.set_xlim(-0.06, 1.04)
    panel.set_ylim(scale.low, scale.high)
    labels = [point.label for point in curve.points]
    is_upright = fits_side_by_side(labels, places, room_in)
    texts = labels if is_upright else [broken_label(label, 0.7) for label in labels]
    panel.set_xticks(places, texts, rotation=0 if is_upright else 35, ha="center" if is_upright else "right")
    colours, means = palette(), list[tuple[float, float]]()
    for point, cell, place in zip(curve.points, cells, places, strict=True):
        if cell.estimate is None:
            continue
        _seeds(panel, [place - 0.05] * len(cell.by_seed), list(cell.by_seed.values()))
        interval = cell.estimate.interval
        panel.plot([place, place], [interval.low, interval.high], color=colours["accent"])
        colour = colours["ink"] if point.is_base else colours["accent"]
        panel.plot(place, cell.estimate.value, "o", color=colour, markersize=DOT_PT, zorder=4)
        means.append((place, cell.estimate.value))
    if curve.is_numeric:
        panel.plot(*zip(*means, strict=True), color=colours["accent"], linewidth=0.8, zorder=2)
    draw_prior(panel, prior, along="y")


def _values(cell: Cell) -> tuple[float, ...]:
    if cell.estimate is None:
        return ()
    return (cell.estimate.interval.low, cell.estimate.interval.high, *cell.by_seed.values())


def _seeds(axes: Axes, x: Sequence[float], y: Sequence[float]) -> None:
    """Draw seeds as rings."""
    accent = palette()["accent"]
    axes.plot(x, y, "o", markersize=DOT_PT - 0.6, markerfacecolor="white", markeredgecolor=accent, markeredgewidth=0.7)


def pareto(report: Report, width_in: float) -> Figure:
    """Draw score against the price of one trial, with the arms' numbers; those that nothing beats are joined."""
    priced, prior, colours = priced_arms(report), best_prior(report, None), palette()
    figure = Figure(figsize=(width_in, 0.72 * width_in), layout="constrained")
    axes = figure.add_subplot()
    across = Scale.over((arm.price for arm in priced.arms), margin=0.08)
    up = Scale.over(with_prior([arm.score for arm in priced.arms], prior), margin=0.1)
    axes.set_xlim(across.low, across.high)
    axes.set_ylim(up.low, up.high)
    axes.grid(axis="y")
    axes.set_axisbelow(True)
    for arm, following in pairwise(priced.front):
        corner = ([arm.price, following.price, following.price], [arm.score, arm.score, following.score])
        axes.plot(*corner, color=colours["accent"], linestyle=(0, (3, 2)), linewidth=0.8, zorder=1)
    for arm in priced.arms:
        face = colours["accent"] if arm.is_pareto else "white"
        axes.plot(arm.price, arm.score, "o", color=colours["accent"], markerfacecolor=face, markersize=DOT_PT)
    size = (0.85 * width_in * 72, 0.6 * width_in * 72)
    spots = [(size[0] * across.at(arm.price), size[1] * (1 - up.at(arm.score))) for arm in priced.arms]
    for arm, spot, place in zip(priced.arms, spots, label_places(spots, letter=7), strict=True):
        offset = (place[0] - spot[0], spot[1] - place[1])
        at = (arm.price, arm.score)
        axes.annotate(str(arm.number), at, offset, textcoords="offset points", ha="center", va="baseline")
    draw_prior(axes, prior, along="y")
    axes.set_xlabel(f"{priced.unit} of one trial")
    axes.set_ylabel("score")
    return figure


def seeds(report: Report, width_in: float, shown: Sequence[Row]) -> Figure:
    """Draw the scores of every seed, the mean of each arm and its interval.

    Args:
        report: all of whose scores fit the scale, so that figures can be compared.
        width_in: of the figure, in inches.
        shown: arms of this figure.
    """
    figure, axes = row_axes(width_in, [row.arm for row in shown])
    prior, colours = best_prior(report, None), palette()
    scale = Scale.over(with_prior([value for row in report.rows for value in _values(row.mean)], prior))
    axes.set_xlim(scale.low, scale.high)
    for number, row in enumerate(shown):
        estimate = row.mean.estimate
        if estimate is not None:
            axes.plot([estimate.interval.low, estimate.interval.high], [number, number], color=colours["accent"])
            axes.plot([estimate.value] * 2, [number - 0.28, number + 0.28], color=colours["accent"], linewidth=1.6)
        _seeds(axes, list(row.mean.by_seed.values()), [number] * len(row.mean.by_seed))
    draw_prior(axes, prior, along="x")
    axes.set_xlabel("score")
    return figure


def curves(report: Report, width_in: float, shown: Sequence[LossCurve]) -> Figure:
    """Draw the training losses of one stage, a panel for each arm, the base's in grey behind the others.

    Args:
        report: whose base it is.
        width_in: of the figure, in inches.
        shown: curves of the stage.
    """
    arms = list(dict.fromkeys(curve.arm for curve in shown))
    figure, panels = panel_axes(width_in, arms)
    figure.supxlabel("step", color=palette()["muted"], fontsize=LETTERS_PT)
    figure.supylabel("loss", color=palette()["muted"], fontsize=LETTERS_PT)
    points = [point for curve in shown for point in curve.points]
    across, up = Scale.over((x for x, _ in points), margin=0.02), Scale.over(y for _, y in points)
    for panel, arm in zip(panels, arms, strict=True):
        panel.set_xlim(across.low, across.high)
        panel.set_ylim(up.low, up.high)
        for curve in shown:
            is_own = curve.arm == arm
            if curve.points and (is_own or curve.arm == report.base):
                colour = palette()["accent"] if is_own else palette()["line"]
                panel.plot(*zip(*curve.points, strict=True), color=colour, linewidth=0.8 if is_own else 1.6)
    return figure
