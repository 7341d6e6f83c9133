"""Say of a study's arms that none of them is shown to look at the images."""

from __future__ import annotations

from orchestrator.analysis.study_scores import StudyScores
from search_spaces.quantities import number_of

OPENING = "No arm beats its priors"
"""How the sentence begins."""
_NAMED = 3
"""Benchmarks that are named; further ones are counted."""


def opening_sentence(scored: StudyScores) -> str:
    """State that no arm shows a signal on any benchmark; empty where one does, or where some were not judged."""
    cells = [(arm, name) for arm in scored.trials for name in scored.benchmarks if scored.scores.seeds(arm, (name,))]
    signals = [scored.signals.get(cell) for cell in cells]
    if not cells or any(signal is None or signal.is_shown for signal in signals):
        return ""
    benchmarks = [name for name in scored.benchmarks if any(name == of_cell for _, of_cell in cells)]
    facts = [_fact(scored, name) for name in benchmarks[:_NAMED]]
    if len(benchmarks) > _NAMED:
        facts.append(f"nor does one on {number_of(len(benchmarks) - _NAMED, 'further benchmark')}")
    return f"{OPENING}: {'; '.join(facts)}. What such arms differ or agree in says nothing of what they see."


def _fact(scored: StudyScores, benchmark: str) -> str:
    """State the score of the highest prior on a benchmark, and that of the highest arm."""
    signals = {arm: signal for (arm, name), signal in scored.signals.items() if name == benchmark}
    arm, signal = max(signals.items(), key=lambda item: item[1].points)
    prior, points = signal.best_prior
    return f"on {benchmark} the {prior} gets {points:.1f} points, the highest arm ({arm}) {signal.points:.1f}"
