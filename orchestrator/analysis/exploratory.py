"""Contrasts as a table of many, none of them announced before: Benjamini-Hochberg over all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.analysis.effects import Contrast

FALSE_DISCOVERY_RATE = 0.05


@dataclass(frozen=True)
class Judgement:
    """Whether a contrast stands out in a table of many."""

    contrast: Contrast
    p_adjusted: float
    """Benjamini-Hochberg over the table."""
    is_clear: bool
    reason: str | None
    """Why not, where the interval alone excludes 0."""


def judge(contrasts: Sequence[Contrast], rate: float = FALSE_DISCOVERY_RATE) -> tuple[Judgement, ...]:
    """Judge the contrasts of one exploratory table: Benjamini-Hochberg over all of them."""
    from scipy import stats  # takes longer to load than to show a report that is kept

    if not contrasts:
        return ()
    adjusted = stats.false_discovery_control([contrast.estimate.interval.p for contrast in contrasts])
    return tuple(
        _judged(contrast, float(p), len(contrasts), rate) for contrast, p in zip(contrasts, adjusted, strict=True)
    )


def _judged(contrast: Contrast, p_adjusted: float, n: int, rate: float) -> Judgement:
    if not contrast.estimate.interval.excludes_zero:
        return Judgement(contrast, p_adjusted, False, None)
    if p_adjusted > rate:
        reason = f"it does not stand out among the {n} comparisons of this report"
        return Judgement(contrast, p_adjusted, False, reason)
    return Judgement(contrast, p_adjusted, True, None)
