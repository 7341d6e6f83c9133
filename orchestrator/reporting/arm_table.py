"""The table of arms by benchmarks as text, for views that have no marks of their own."""

from __future__ import annotations

from orchestrator.reporting.report_model import Report
from orchestrator.reporting.sentences import cell_text, prior_text


def table_headers(report: Report) -> list[str]:
    """Name the columns: arm, seeds, the mean where there are several benchmarks, and each benchmark with its n."""
    means = [f"mean of {len(report.columns)}"] if len(report.columns) > 1 else []
    return [
        "arm",
        "seeds",
        *means,
        *(f"{c.benchmark} (n {c.n_examples})" if c.n_examples is not None else c.benchmark for c in report.columns),
    ]


def table_rows(report: Report, *, has_limits: bool = True) -> list[tuple[list[str], list[tuple[str, bool]]]]:
    """Write every row: arm and seeds, then the text of each cell and whether it is the best of its column.

    What needs no image stands below the arms.

    Args:
        report: whose arms they are.
        has_limits: whether the scores of single benchmarks have their intervals; the mean over all always has.
    """
    rows = []
    for row in report.rows:
        texts = [
            (cell_text(cell, column, has_limits=has_limits or column is None), cell.is_best)
            for cell, column in report.cells(row)
        ]
        rows.append(([row.arm, ", ".join(map(str, row.seeds))], texts))
    for prior in report.priors:
        means = [prior.mean] if len(report.columns) > 1 else []
        rows.append(([prior.name, ""], [(prior_text(value), False) for value in (*means, *prior.values)]))
    return rows
