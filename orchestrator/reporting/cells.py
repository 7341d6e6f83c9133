"""Make the cells of a table of scores: an arm on a benchmark, or in the mean over all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from orchestrator.analysis.study_scores import StudyScores
from orchestrator.reporting.report_model import Absence, Cell, Row
from orchestrator.state.ledger import TrialEntry
from search_spaces.error_text import first_line
from search_spaces.errors import InputError
from search_spaces.plan import Arm


def row_of(arm: Arm, scored: StudyScores, columns: Sequence[str] | None = None) -> Row:
    """Collect the scores of an arm on every benchmark, and in the mean over all.

    Args:
        arm: of the plan.
        scored: scores of the study, or of parts of its benchmarks.
        columns: names among those of `scored`; None for all.
    """
    names = scored.benchmarks if columns is None else tuple(columns)
    entries = {entry.seed: entry for entry in scored.trials[arm.name]}
    cells = [_cell(arm.name, (name,), entries, scored) for name in names]
    return Row(arm.name, arm.values, tuple(entries), tuple(cells), _cell(arm.name, names, entries, scored))


def _cell(arm: str, benchmarks: tuple[str, ...], entries: Mapping[int, TrialEntry], scored: StudyScores) -> Cell:
    seeds = scored.scores.seeds(arm, benchmarks)
    absent = {seed: _absence(entry) for seed, entry in entries.items() if seed not in seeds}
    silent = scored.no_signal.get((arm, benchmarks[0]), ()) if len(benchmarks) == 1 else ()
    unread = scored.unread.get((arm, benchmarks[0])) if len(benchmarks) == 1 else None
    signal = scored.signals.get((arm, benchmarks[0])) if len(benchmarks) == 1 else None
    if not seeds:
        return Cell(None, absent, {})
    by_seed = {seed: _mean(arm, seed, benchmarks, scored) for seed in seeds}
    unparsable = {
        seed: sum(scored.unparsable.get((arm, seed, name), 0.0) for name in benchmarks) / len(benchmarks)
        for seed in seeds
    }
    try:
        return Cell(scored.scores.mean(arm, benchmarks), absent, by_seed, silent, unread, unparsable, signal)
    except InputError as error:
        return Cell(None, absent, by_seed, silent, unread, unparsable, signal, refused=first_line(error))


def _mean(arm: str, seed: int, benchmarks: Sequence[str], scored: StudyScores) -> float:
    cells = [scored.scores.cell(arm, seed, name) for name in benchmarks]
    return sum(cell.mean for cell in cells if cell is not None) / len(benchmarks)


def _absence(entry: TrialEntry) -> Absence:
    if entry.is_diverged:
        return "diverged"
    return "unreadable" if entry.state == "done" else entry.state
