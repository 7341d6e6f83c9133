"""What needs no image as lines of a table of arms by benchmarks."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.analysis.signal import OF_THE_ARM
from orchestrator.analysis.study_scores import StudyScores


@dataclass(frozen=True)
class Prior:
    """What answers get that need no image (`trainables.benchmarks.priors`), a line of the table. Points."""

    name: str
    values: tuple[float | None, ...]
    """In the order of the columns; None where no result says it."""
    mean: float | None
    """Over all columns."""


def prior_rows(scored: StudyScores) -> tuple[Prior, ...]:
    """List what needs no image and is the same for all arms, lowest first; of equal lines the first one."""
    known: dict[str, dict[str, float]] = {}
    for (_, benchmark), signal in scored.signals.items():
        for name, value in signal.priors.items():
            if name not in OF_THE_ARM:
                of_name = known.setdefault(name, {})
                of_name[benchmark] = max(value, of_name.get(benchmark, value))
    priors: dict[tuple[float | None, ...], Prior] = {}
    for name, by_benchmark in known.items():
        values = tuple(by_benchmark.get(benchmark) for benchmark in scored.benchmarks)
        present = [value for value in values if value is not None]
        mean = sum(present) / len(present) if len(present) == len(values) else None
        shown = tuple(None if value is None else round(value, 1) for value in values)
        priors.setdefault(shown, Prior(name, values, mean))
    return tuple(sorted(priors.values(), key=lambda prior: prior.mean or 0.0))
