"""Which arms of a study may be compared: all of their common seeds ended well, and were scored in one way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from orchestrator.analysis.study_scores import StudyScores
from orchestrator.analysis.verdict_model import Refusal
from orchestrator.state.ledger import TrialEntry


def refused(
    arms: Sequence[str], seeds: Sequence[int], benchmarks: Sequence[str], scored: StudyScores
) -> Refusal | None:
    """Say why these arms may not be compared, or None where they may.

    A seed that diverged is a result: to leave it out would favour its arm.

    Args:
        seeds: that all of the arms were planned with.
        benchmarks: on which they are to be compared.
    """
    reasons = _reasons(arms, seeds, benchmarks, scored)
    return Refusal(tuple(reasons)) if reasons else None


def _reasons(arms: Sequence[str], seeds: Sequence[int], benchmarks: Sequence[str], scored: StudyScores) -> list[str]:
    absent = [arm for arm in arms if not scored.trials.get(arm)]
    if absent:
        return [f"this plan has no trial of {', '.join(absent)}"]
    if not seeds:
        return [_nothing_in_common(arms, benchmarks, scored)]
    entries = [entry for arm in arms for entry in scored.trials[arm] if entry.seed in seeds]
    diverged = [f"{entry.arm} diverged with seed {entry.seed}" for entry in entries if entry.is_diverged]
    if diverged:
        return diverged
    missing = [words for entry in entries for words in _missing(entry, benchmarks, scored)]
    if missing:
        return [f"missing: {'; '.join(missing)}"]
    reasons = []
    for name in benchmarks:
        ways = {(entry.arm, entry.seed): scored.asked[entry.arm, entry.seed, name] for entry in entries}
        if len(set(ways.values())) > 1:
            reasons.append(f"{name} was scored in different ways: {_ways(ways)}")
    return reasons


def _nothing_in_common(arms: Sequence[str], benchmarks: Sequence[str], scored: StudyScores) -> str:
    """Say why no seed has scores of all arms: they have other seeds, or an arm has no scores on some benchmark."""
    together = f"{', '.join(arms)} have no seed in common"
    if not set.intersection(*({entry.seed for entry in scored.trials[arm]} for arm in arms)):
        return together
    absent = [
        f"{arm} has no scores on {', '.join(lacking)}"
        for arm in arms
        if (lacking := [name for name in benchmarks if not _has_scores(arm, name, scored)])
    ]
    return "; ".join(absent) or f"{together} on {', '.join(benchmarks)}"


def _has_scores(arm: str, benchmark: str, scored: StudyScores) -> bool:
    return any(scored.scores.cell(arm, entry.seed, benchmark) is not None for entry in scored.trials[arm])


def _missing(entry: TrialEntry, benchmarks: Sequence[str], scored: StudyScores) -> list[str]:
    lacking = [name for name in benchmarks if scored.scores.cell(entry.arm, entry.seed, name) is None]
    if not lacking:
        return []
    state = "unreadable" if entry.state == "done" else entry.state
    where = "" if len(lacking) == len(benchmarks) else f" on {', '.join(lacking)}"
    return [f"{entry.arm} with seed {entry.seed}{where} ({state})"]


def _ways(ways: Mapping[tuple[str, int], tuple[str, str]]) -> str:
    """Name a trial for each way of scoring: `base (seed 7) by official, naive (seed 7) by prismatic`."""
    first: dict[tuple[str, str], tuple[str, int]] = {}
    for trial, way in ways.items():
        first.setdefault(way, trial)
    protocols = {protocol for _, protocol in first}
    return ", ".join(
        f"{arm} (seed {seed}) by {protocol if len(protocols) > 1 else f'{protocol} {key[:8]}'}"
        for (key, protocol), (arm, seed) in first.items()
    )
