"""Place the present look at a hypothesis among those that storage has counted, and correct its p for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from orchestrator.analysis.looks import Looks
from orchestrator.analysis.scores import Scores
from orchestrator.state.claims import ClaimKey
from orchestrator.state.looks import Look
from search_spaces.identity import fingerprint
from search_spaces.study import Hypothesis


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
class Correction:
    """What looks make of the p of the present one."""

    looks: Looks
    standing: Mapping[str, float] = field(default_factory=dict)
    """Statement -> p after the last declared look, where that was an earlier one: what it has not shown stays open."""
    is_positive: bool | None = None
    """Sign of the effect at that look."""

    def p(self, statement: str, p: float, *, is_positive: bool) -> float:
        """Turn the p of the present look into one that holds over all looks.

        Args:
            statement: `differs`, whose p is two-sided, or one whose p is one-sided.
            p: of the present look alone.
            is_positive: sign of the present effect.
        """
        if self.looks.is_used_up:
            has_turned = statement == "differs" and is_positive != self.is_positive
            return 1.0 if has_turned else max(self.standing.get(statement, 1.0), p)
        return self.looks.two_sided_p(p) if statement == "differs" else self.looks.one_sided_p(p)

    def level(self, alpha: float) -> float:
        """Compute the two-sided level of the present look's interval, so that those of all looks hold with 1 - alpha.

        After the last declared look it is still that look's.
        """
        return self.looks.up_to_last().level(alpha)

    def next_level(self, alpha: float) -> float:
        """Compute the two-sided level of one further look: the last declared one, else with twice as many seeds."""
        return self.looks.next().level(alpha)


def correction(hypothesis: Hypothesis, seeds: Sequence[int], scores: str, history: History | None) -> Correction | None:
    """Correct the present look for those before it; None where nothing is known of them and none are declared.

    Args:
        hypothesis: that is looked at.
        seeds: that all of its arms have.
        scores: their digest (`scores_digest`). Where it was seen before, the present look is that one again.
        history: what storage knows; None where there is none, as with scores from files: then each declared look at
            fewer seeds than these is taken to have been.
    """
    declared = hypothesis.looks
    if history is None:
        if not declared:
            return None
        sizes = [*(size for size in declared if size < len(seeds)), len(seeds)]
        looks = [tuple(range(size)) for size in sizes]
        return Correction(Looks.of(looks, declared[-1], hypothesis.spending, is_declared=True))
    digests = [look.scores for look in history.earlier]
    earlier = history.earlier[: digests.index(scores)] if scores in digests else history.earlier
    made = Looks.of(
        [*(look.seeds for look in earlier), tuple(seeds)],
        declared[-1] if declared else max(history.planned, 1),
        hypothesis.spending,
        is_declared=bool(declared),
    )
    if not made.is_used_up:
        return Correction(made)
    last = next(look for look, clock in zip(earlier, made.clocks, strict=False) if clock >= made.last)
    return Correction(made, last.p if last.claim == history.key.claim else {}, last.effect > 0)


def scores_digest(scores: Scores, arms: Sequence[str], seeds: Sequence[int], benchmarks: Sequence[str]) -> str:
    """Digest the mean scores of these arms with these seeds on these benchmarks."""
    cells = [
        [arm, seed, name, cell.mean if cell is not None else None]
        for arm in sorted(arms)
        for seed in sorted(seeds)
        for name in benchmarks
        for cell in (scores.cell(arm, seed, name),)
    ]
    return fingerprint(cells)
