"""Draw the training losses of a report: a small panel for each arm, the base's curves in grey behind its own."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from orchestrator.reporting.figures import PANEL_HEIGHT, level_line
from orchestrator.reporting.svg import Scale, element, figure_svg, tick_text
from orchestrator.reporting.training import LossCurve

WIDTH = 1000.0
"""Units along the width of a panel; lines are drawn in them, and stretched to the page."""


def loss_panel(curves: Sequence[LossCurve], behind: Sequence[LossCurve], scale_of: Sequence[LossCurve]) -> Markup:
    """Draw loss against step.

    Args:
        curves: of an arm, a line for each seed.
        behind: of the base, for comparison; none in the base's own panel.
        scale_of: all curves of the stage, so that panels can be compared.
    """
    points = [point for curve in scale_of for point in curve.points]
    across = Scale.over((x for x, _ in points), n_ticks=4, margin=0.02)
    up = Scale.over((y for _, y in points), n_ticks=4)
    marks = [level_line(up, tick, PANEL_HEIGHT) for tick in up.ticks]
    marks += [
        element("text", tick_text(tick), x=across.x(tick), y=PANEL_HEIGHT + 16, class_="tick mid")
        for tick in across.ticks
        if 0.04 < across.at(tick) < 0.96
    ]
    lines = [_line(curve, across, up, "behind") for curve in behind]
    lines += [_line(curve, across, up, "loss") for curve in curves]
    stretched = element(
        "svg",
        *lines,
        viewBox=f"0 0 {WIDTH:g} {PANEL_HEIGHT}",
        preserveAspectRatio="none",
        width="100%",
        height=PANEL_HEIGHT,
    )
    ends = ", ".join(f"seed {curve.seed}: {_end(curve)}" for curve in curves)
    arm = curves[0].arm if curves else ""
    return figure_svg([*marks, stretched], PANEL_HEIGHT + 22, "panel", f"Training loss of {arm}; at the end {ends}")


def _end(curve: LossCurve) -> str:
    return "diverged" if curve.is_diverged or not curve.points else f"{curve.points[-1][1]:.3g}"


def _line(curve: LossCurve, across: Scale, up: Scale, kind: str) -> Markup:
    points = " ".join(f"{WIDTH * across.at(x):.1f},{up.y(y, PANEL_HEIGHT):.1f}" for x, y in curve.points)
    title = element("title", f"{curve.arm}, seed {curve.seed}: at the end {_end(curve)}")
    return element("polyline", title, points=points, class_=kind)
