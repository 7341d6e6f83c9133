"""Draw the parts that figures are made of: axes with a grid, labels that break, panels side by side."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from itertools import pairwise

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from orchestrator.figures.style import LETTERS_PT, palette

_LETTER_IN = 0.6 * LETTERS_PT / 72
"""Width of a letter in inches, in the mean."""
_PANEL_IN = 1.5
"""Width of a panel, at least."""
ROW_IN = 0.19
"""Height of a line of a forest plot with one line of text."""


def row_axes(width_in: float, labels: Sequence[str]) -> tuple[Figure, Axes]:
    """Make a figure with a labelled line for each label, the first on top, and a grid of values.

    Args:
        width_in: of the figure, in inches.
        labels: of the lines; long ones are broken so that they take less than half of the width.
    """
    broken = [broken_label(label, 0.42 * width_in) for label in labels]
    heights = [1 + 0.75 * label.count("\n") for label in broken]
    figure = Figure(figsize=(width_in, 0.55 + ROW_IN * sum(heights)), layout="constrained")
    axes = figure.add_subplot()
    axes.set_ylim(len(labels) - 0.5, -0.5)
    axes.set_yticks(range(len(labels)), broken)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x")
    axes.set_axisbelow(True)
    return figure, axes


def panel_axes(width_in: float, titles: Sequence[str], height_in: float = 1.35) -> tuple[Figure, list[Axes]]:
    """Make a figure with as many panels side by side as its width has room for.

    Args:
        width_in: of the figure, in inches.
        titles: of the panels.
        height_in: of a row of panels.
    """
    columns = max(1, min(len(titles), int(width_in / _PANEL_IN)))
    rows = math.ceil(len(titles) / columns)
    figure = Figure(figsize=(width_in, height_in * rows + 0.1), layout="constrained")
    axes = [figure.add_subplot(rows, columns, number + 1) for number in range(len(titles))]
    room_in = width_in / columns - 0.35
    for panel, title in zip(axes, titles, strict=True):
        panel.set_title(broken_label(title, room_in), fontweight="bold", loc="left")
        panel.grid(axis="y")
        panel.set_axisbelow(True)
    return figure, axes


def columns_of(panels: Sequence[Axes]) -> int:
    """Count the columns in which panels stand."""
    specs = [panel.get_subplotspec() for panel in panels]
    return max(spec.colspan.stop for spec in specs if spec is not None)


def broken_label(text: str, room_in: float) -> str:
    """Break a name after the signs that join its parts, so that no line is longer than there is room.

    Args:
        text: name of an arm, an axis or a claim.
        room_in: in inches.
    """
    most = max(8, int(room_in / _LETTER_IN))
    lines = [""]
    for part in re.split(r"(?<=[=+./_,\s-])", text):
        if lines[-1] and len(lines[-1]) + len(part.rstrip()) > most:
            lines.append("")
        lines[-1] += part
    return "\n".join(line.strip() for line in lines)


def fits_side_by_side(labels: Sequence[str], places: Sequence[float], room_in: float) -> bool:
    """Tell whether labels fit below an axis at their places, 0 to 1 of its width in inches."""
    sizes = [len(label) * _LETTER_IN for label in labels]
    gaps = [(b - a) * room_in for a, b in pairwise(places)]
    needed = [(a + b) / 2 + _LETTER_IN for a, b in pairwise(sizes)]
    return all(gap > need for gap, need in zip(gaps, needed, strict=True))


def draw_prior(axes: Axes, prior: float | None, *, along: str) -> None:
    """Draw a dashed line at the score of what needs no image, where the axis reaches it.

    Args:
        axes: whose limits are set.
        prior: the score; None where it is not known.
        along: `x` where scores lie along the width, `y` where they stand upright.
    """
    if prior is None:
        return
    low, high = axes.get_xlim() if along == "x" else axes.get_ylim()
    if low <= prior <= high:
        line = axes.axvline if along == "x" else axes.axhline
        line(prior, color=palette()["muted"], linestyle=(0, (4, 3)), linewidth=0.8, zorder=1)
