"""A reproduction beside what was published: difference by difference, over the same pairs and benchmarks."""

from __future__ import annotations

from dataclasses import replace

from orchestrator.analysis.tables import ScoreTable, TableMethod, differences
from orchestrator.analysis.verdicts import PublishedComparison, Verdict, Verdicts


def beside_published(found: Verdicts, published: ScoreTable) -> Verdicts:
    """The verdicts with the published difference of every hypothesis whose arms carry ids of published models."""
    verdicts = tuple(replace(one, published=_comparison(one, published)) for one in found.verdicts)
    return replace(found, verdicts=verdicts)


def _comparison(verdict: Verdict, published: ScoreTable) -> PublishedComparison:
    unknown = [name for pair in verdict.pairs for name in pair if name not in published.scores]
    unknown += [name for name in verdict.benchmarks if name not in published.benchmarks]
    if unknown:
        return _none(f"not in the published table: {', '.join(dict.fromkeys(unknown))}")
    method: TableMethod = "prismatic-2024" if verdict.method == "prismatic-2024" else "paired-table"
    cells = differences(published, verdict.pairs, verdict.benchmarks, method)
    if isinstance(cells, str):
        return _none(f"not published: {cells}")
    theirs = float(cells.mean())
    if verdict.effect is None or verdict.interval is None:
        return PublishedComparison(theirs, verdict.effect, None, None, None, "there is no own interval")
    same_sign = (theirs > 0) == (verdict.effect > 0) if theirs and verdict.effect else None
    low, high = verdict.interval
    inside = low <= theirs <= high
    return PublishedComparison(theirs, verdict.effect, same_sign, inside, bool(same_sign) and inside)


def _none(reason: str) -> PublishedComparison:
    return PublishedComparison(None, None, None, None, None, reason)
