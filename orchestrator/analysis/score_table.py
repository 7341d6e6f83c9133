"""Tables of scores, models by benchmarks in points, and the differences of their cells."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from orchestrator.analysis.intervals import Floats
from orchestrator.analysis.score_columns import in_points, is_cost
from orchestrator.analysis.score_file import ALIASES, read_score_file
from orchestrator.analysis.score_means import Derived
from orchestrator.analysis.score_rows import in_one_unit, odd_rows, row_notes
from orchestrator.analysis.verdict_model import Refusal, Unit
from search_spaces.claims import ColumnScale, RowScale

DIFFERENCES: Mapping[Unit, Callable[[float, float], float]] = {
    "points": lambda reference, alternative: alternative - reference,
    "percent": lambda reference, alternative: 200 * (alternative - reference) / (alternative + reference),
}
"""Unit -> difference of two scores: as it is, or relative to the mean of both, so that it is symmetric."""
_NO_MODELS = re.compile(
    r"(?:human|humans|random|chance|majority|most[\s_-]*frequent|blind|upper[\s_-]*bound|average|avg\.?|mean|delta|\u0394|diff"
    r"|difference|gain|improvement|std|max|min|best|sota)(?:\W.*|[\s_-]*(?:performance|guess|guessing|choice|baseline))?",
    re.IGNORECASE,
)
"""Names of lines that are no model's."""


@dataclass(frozen=True)
class ScoreTable:
    """Scores of models on benchmarks."""

    name: str
    benchmarks: tuple[str, ...]
    """All columns with numbers, in file order."""
    scores: Mapping[str, Mapping[str, float]]
    """Model -> benchmark -> points; cells that are empty in the file are not there."""
    derived: Mapping[str, Derived] = field(default_factory=dict)
    """Columns that are computed from others: `all` does not stand for them."""
    costs: tuple[str, ...] = ()
    """Columns of sizes, dates, seeds: `all` does not stand for them."""
    refused: Mapping[str, str] = field(default_factory=dict)
    """Columns that are no points -> why."""
    odd_rows: Mapping[str, str] = field(default_factory=dict)
    """Models whose scores are in another unit than the others' -> why."""
    rounding: Mapping[str, float] = field(default_factory=dict)
    """Benchmark -> unit of the last digit, in points; benchmarks that are not there count as exact."""
    notes: tuple[str, ...] = ()
    """What was left out, converted, or read otherwise than it stands in the file."""

    @property
    def models(self) -> tuple[str, ...]:
        """Names of the models, in file order."""
        return tuple(self.scores)

    @property
    def counted(self) -> tuple[str, ...]:
        """What `all` stands for: columns of scores of their own, those that cannot be compared among them."""
        return tuple(name for name in self.benchmarks if name not in self.derived and name not in self.costs)

    def comparable(self) -> dict[str, dict[str, float]]:
        """Select what z-scores are made of: points of real models on columns that count."""
        columns = [name for name in self.counted if name not in self.refused]
        return {
            model: {name: row[name] for name in columns if name in row}
            for model, row in self.scores.items()
            if not is_no_model(model) and model not in self.odd_rows
        }


def is_no_model(name: str) -> bool:
    """Tell whether the name of a line is that of a baseline or of a statistic: human, random, average, difference."""
    return _NO_MODELS.fullmatch(name) is not None


def read_table(
    path: Path,
    name: str | None = None,
    declared: Mapping[str, ColumnScale] | None = None,
    rows: Mapping[str, RowScale] | None = None,
) -> ScoreTable:
    """Read a file of scores: a header, then one line per model; the first column is the model's id.

    Args:
        path: CSV with any usual separator, Markdown, rows of LaTeX, or an Excel workbook.
        name: of the table; by default its path.
        declared: column -> what its numbers are, where they are no points.
        rows: model -> what its numbers are, where they are in another unit than the other lines'.

    Raises:
        InputError: for a file that cannot be read, a name that comes twice, a line of another length, a cell that is
            neither empty nor a finite number, or a declaration that does not fit.
    """
    file = read_score_file(path)
    scales = {ALIASES.get(column, column): scale for column, scale in (declared or {}).items()}
    others = [model for model in file.models if is_no_model(model)]
    columns = in_one_unit(file.columns, rows or {}, frozenset(scales), str(path))
    odd = odd_rows([c for c in columns if not is_cost(c.name)], frozenset([*others, *(rows or {})]))
    scores = in_points(columns, file.arrows, scales, str(path), frozenset([*others, *odd]))
    by_model = {
        model: {column.name: scores.points[column.name][model] for column in columns if model in column.numbers}
        for model in file.models
    }
    notes = [*file.notes, *row_notes(rows or {}), *scores.notes]
    if others:
        notes.append(f"Not in the pool of z-scores: {', '.join(others)}, by name no model.")
    names = tuple(column.name for column in file.columns)
    return ScoreTable(
        name or str(path),
        names,
        by_model,
        derived=scores.derived,
        costs=scores.costs,
        refused=scores.refused,
        odd_rows=odd,
        rounding=scores.rounding,
        notes=tuple(notes),
    )


def cell_differences(
    table: ScoreTable, pairs: Sequence[tuple[str, str]], benchmarks: Sequence[str], unit: Unit
) -> Floats | Refusal:
    """Subtract the scores of each pair on each benchmark, pairs x benchmarks in `unit`, or refuse with the reasons.

    Args:
        table: of scores.
        pairs: reference and alternative, models of the table.
        benchmarks: columns of the table.
        unit: of the differences.
    """
    models = list(dict.fromkeys(model for pair in pairs for model in pair))
    missing = [f"{model} on {name}" for model in models for name in benchmarks if name not in table.scores[model]]
    reasons = [f"no score of {', '.join(missing)}"] if missing else []
    reasons += [table.odd_rows[model] for model in models if model in table.odd_rows]
    reasons += [table.refused[name] for name in benchmarks if name in table.refused]
    reasons += [
        f"{name} {table.derived[name].sentence}, and would count them twice: leave it out of `on`"
        for name in benchmarks
        if name in table.derived and set(table.derived[name].parts) & set(benchmarks)
    ]
    if reasons:
        return Refusal(tuple(reasons))
    difference = DIFFERENCES[unit]
    try:
        rows = [[difference(table.scores[a][name], table.scores[b][name]) for name in benchmarks] for a, b in pairs]
    except ZeroDivisionError:
        return Refusal(("a relative difference of two scores that add up to 0 means nothing",))
    return np.array(rows)
