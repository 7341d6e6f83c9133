"""Show on a terminal what an items table holds beside its verdicts: scores by arm, and what can be decided."""

from __future__ import annotations

from rich.console import Console

from orchestrator.analysis.prior_rows import Prior
from orchestrator.items.overview import ArmCell, ArmRow, ItemsOverview
from orchestrator.terminal.power_table import power_view
from orchestrator.terminal.tables import table

_MOST_ROWS = 30
_MOST_INTERVALS = 5
"""With more benchmarks only the mean over all has its interval: the others are in the JSON."""


def overview_to_terminal(overview: ItemsOverview, console: Console) -> None:
    """Print the table of arms by benchmarks with their intervals, and the power of every hypothesis."""
    console.print()
    means = ["mean"] if len(overview.benchmarks) > 1 else []
    columns = ("arm", "seeds", *means, *overview.benchmarks)
    rows = [_row(row, overview) for row in overview.rows[:_MOST_ROWS]]
    rows += [_prior_row(prior) for prior in overview.priors]
    right = tuple(range(2, len(columns)))
    title = "Scores in points, with 95 % intervals"
    console.print(table(title, columns, rows, right=right))
    if len(overview.rows) > _MOST_ROWS:
        console.print(f"... and {len(overview.rows) - _MOST_ROWS:,} more arms (--json has all)")
    if overview.power:
        console.print()
        console.print(power_view(overview.power))


def _row(row: ArmRow, overview: ItemsOverview) -> tuple[str, ...]:
    cells = {cell.benchmark: cell for cell in row.cells}
    names: list[str | None] = [None] if len(overview.benchmarks) > 1 else []
    names += overview.benchmarks
    seeds = sorted({seed for cell in row.cells for seed in cell.seeds})
    is_wide = len(overview.benchmarks) > _MOST_INTERVALS
    texts = (_text(cells.get(name), has_limits=name is None or not is_wide) for name in names)
    return row.arm, ", ".join(map(str, seeds)), *texts


def _prior_row(prior: Prior) -> tuple[str, ...]:
    means = [prior.mean] if len(prior.values) > 1 else []
    return prior.name, "", *("" if points is None else f"{points:.1f}" for points in (*means, *prior.values))


def _text(cell: ArmCell | None, has_limits: bool) -> str:
    """Write a score: `71.2 (69.0 to 73.4)`; empty where there is none."""
    if cell is None:
        return ""
    low, high = cell.interval or (cell.points, cell.points)
    limits = f" ({low:.1f} to {high:.1f})" if has_limits and cell.interval is not None else ""
    return f"{cell.points:.1f}{limits}{'' if cell.has_signal else ', no signal'}"
