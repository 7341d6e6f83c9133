"""A reproduction beside what was published: difference by difference, over the same pairs and benchmarks."""

from __future__ import annotations

from dataclasses import replace

from orchestrator.analysis.score_table import ScoreTable, cell_differences
from orchestrator.analysis.skills import skill_means, skills_of
from orchestrator.analysis.verdict_model import PublishedComparison, Refusal, Verdict, Verdicts


def beside_published(judged: Verdicts, published: ScoreTable) -> Verdicts:
    """Add the published difference to every hypothesis whose arms carry ids of published models."""
    verdicts = tuple(replace(verdict, published=_comparison(verdict, published)) for verdict in judged.verdicts)
    return replace(judged, verdicts=verdicts)


def _comparison(verdict: Verdict, published: ScoreTable) -> PublishedComparison:
    unknown = [name for pair in verdict.pairs for name in pair if name not in published.scores]
    unknown += [name for name in verdict.benchmarks if name not in published.benchmarks]
    if unknown:
        return _none(f"not in the published table: {', '.join(dict.fromkeys(unknown))}")
    differences = cell_differences(published, verdict.pairs, verdict.benchmarks, verdict.unit)
    if isinstance(differences, Refusal):
        return _none(f"not published: {'; '.join(differences.reasons)}")
    by_benchmark = dict(zip(verdict.benchmarks, differences.mean(axis=0).tolist(), strict=True))
    once = verdict.method == "paired-table"  # where sets of one skill count once
    skills = skills_of(verdict.benchmarks) if once else [(name,) for name in verdict.benchmarks]
    difference = float(skill_means(by_benchmark, skills).mean())
    if verdict.effect is None or verdict.interval is None:
        return PublishedComparison(difference, verdict.effect, None, None, None, "there is no own interval")
    same_sign = (difference > 0) == (verdict.effect > 0) if difference and verdict.effect else None
    low, high = verdict.interval
    inside = low <= difference <= high
    return PublishedComparison(difference, verdict.effect, same_sign, inside, bool(same_sign) and inside)


def _none(reason: str) -> PublishedComparison:
    return PublishedComparison(None, None, None, None, None, reason)
