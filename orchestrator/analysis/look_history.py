"""Place the present look at a hypothesis among those that storage has counted, and correct its p for them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace

from orchestrator.analysis.intervals import CrossedInterval
from orchestrator.analysis.looks import Looks
from orchestrator.state.claims import ClaimKey
from orchestrator.state.looks import Look
from search_spaces.study import Hypothesis

_SMALLEST_LEVEL = 1e-12
"""Where alpha is spent, or all but: the interval is finite, and as wide as it can be."""


@dataclass(frozen=True)
class History:
    """What storage knows of a hypothesis before the present look."""

    key: ClaimKey
    """Of the hypothesis."""
    earlier: tuple[Look, ...]
    """Looks at its contrast, oldest first."""
    planned: int
    """Common seeds that the study planned before there were scores."""


@dataclass(frozen=True)
class EarlierResult:
    """What the looks before the present one have shown."""

    p: Mapping[str, float]
    """Statement -> p after these looks."""
    is_positive: bool
    """Sign of the effect at the last of them."""
    interval: tuple[float, float]
    """Of the effect, after them."""

    def p_of(self, statement: str, *, is_positive: bool) -> float:
        """Return p of a statement; 1 where nothing is known of it, or the effect has turned."""
        has_turned = statement == "differs" and is_positive != self.is_positive
        return 1.0 if has_turned else self.p.get(statement, 1.0)


@dataclass(frozen=True)
class Correction:
    """What looks make of p and interval of the present one."""

    looks: Looks
    earlier_result: EarlierResult | None = None

    def p(self, statement: str, p: float, *, is_positive: bool) -> float:
        """Turn the p of the present look into one that holds over all looks.

        What an earlier look has shown stays shown while the present data show it by themselves: whoever adds seeds to a
        decided claim does not lose it, and it is no second chance, as that look has paid for it.

        Args:
            statement: `differs`, whose p is two-sided, or one whose p is one-sided.
            p: of the present look alone.
            is_positive: sign of the present effect.
        """
        present = self.looks.two_sided_p(p) if statement == "differs" else self.looks.one_sided_p(p)
        if self.earlier_result is None:
            return present
        return min(present, max(self.earlier_result.p_of(statement, is_positive=is_positive), p))

    def interval(self, interval: CrossedInterval) -> CrossedInterval:
        """Widen the interval of the present look, and cut it down to what the earlier ones have left.

        Widened so far that the intervals of all looks hold the truth together.
        """
        level = 1 - max(self.looks.level(1 - interval.level), _SMALLEST_LEVEL)
        widened = replace(interval, level=level)
        if self.earlier_result is None:
            return widened
        low, high = self.earlier_result.interval
        values = {item.name: getattr(widened, item.name) for item in fields(CrossedInterval)}
        return IntervalOfLooks(**values, earlier=(low, high)) if low <= interval.value <= high else widened

    def next_level(self, alpha: float) -> float:
        """Compute the two-sided level of one further look: the last declared one, else with twice as many seeds."""
        return self.looks.next().level(alpha)


@dataclass(frozen=True)
class IntervalOfLooks(CrossedInterval):
    """The part of an interval that lies in those of earlier looks, too."""

    earlier: tuple[float, float] = (-math.inf, math.inf)

    @property
    def low(self) -> float:
        return max(super().low, self.earlier[0])

    @property
    def high(self) -> float:
        return min(super().high, self.earlier[1])


def correction(hypothesis: Hypothesis, seeds: Sequence[int], scores: str, history: History | None) -> Correction | None:
    """Correct the present look for those before it; None where nothing is known of them and none are declared.

    Args:
        hypothesis: that is looked at.
        seeds: that all of its arms have.
        scores: their digest (`scores_digest`). Where it was seen before, the present look is that one again.
        history: what storage knows; None where there is none, as with scores from files: then each declared look at
            fewer seeds than these is taken to have been taken.
    """
    declared = hypothesis.looks
    if history is None:
        if not declared:
            return None
        return Correction(Looks.declared(declared, len(seeds), hypothesis.spending))
    digests = [look.scores for look in history.earlier]
    earlier = history.earlier[: digests.index(scores)] if scores in digests else history.earlier
    made = Looks.of(
        [*(look.seeds for look in earlier), tuple(seeds)],
        declared[-1] if declared else max(history.planned, 1),
        hypothesis.spending,
        is_declared=bool(declared),
    )
    if not earlier:
        return Correction(made)
    last = earlier[-1]
    p = last.p if last.claim == history.key.claim else {"differs": last.p.get("differs", 1.0)}
    return Correction(made, EarlierResult(p, last.effect > 0, last.interval))
