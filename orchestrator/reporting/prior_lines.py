"""The dashed lines of figures at what needs no image."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from orchestrator.reporting.report_model import Report
from orchestrator.reporting.svg import Scale, titled


def with_prior(values: Sequence[float], prior: float | None) -> list[float]:
    """Add the score of what needs no image to the values of an axis, unless these would fill less than half of it."""
    if prior is None or not values:
        return list(values)
    reach = max(values) - min(values)
    is_near = min(values) - reach <= prior <= max(values) + reach
    return [*values, prior] if is_near else list(values)


def best_prior(report: Report, index: int | None) -> float | None:
    """Find the highest score of what needs no image, on one column or (None) in the mean over all."""
    values = [prior.mean if index is None else prior.values[index] for prior in report.priors]
    return max((value for value in values if value is not None), default=None)


def prior_level(scale: Scale, prior: float | None, height: float) -> list[Markup]:
    """Draw a level line at the score of what needs no image, where the axis reaches it.

    Args:
        scale: of the upright axis.
        prior: the score; None where it is not known.
        height: of the panel, in pixels.
    """
    if prior is None or not scale.low <= prior <= scale.high:
        return []
    y = scale.y(prior, height)
    return [titled("line", prior_title(prior), x1="0%", x2="100%", y1=y, y2=y, class_="prior")]


def prior_title(prior: float) -> str:
    """Say what a dashed line is."""
    return f"needs no image: {prior:.1f} at best"
