"""Read numbers from the labels of an axis."""

from __future__ import annotations

import re

from search_spaces.plan import Plan


def numeric_axes(plan: Plan) -> dict[str, dict[str, float]]:
    """Read axis -> label -> number, of axes whose labels are all numbers of one unit or none (``224px``, ``1.25``)."""
    axes = {}
    for axis in plan.axes:
        labels = {arm.values[axis] for arm in plan.arms if arm.by_axes}
        parsed = {label: re.fullmatch(r"([-+]?\d+\.?\d*(?:e[-+]?\d+)?)\s*([^\d\s]*)", label) for label in labels}
        matches = [match for match in parsed.values() if match]
        if len(matches) == len(labels) and len({match[2] for match in matches}) == 1:
            axes[axis] = {label: float(match[1]) for label, match in parsed.items() if match}
    return axes
