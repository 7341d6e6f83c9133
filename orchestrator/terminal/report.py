"""Print a report's findings in a terminal."""

from __future__ import annotations

import math
from dataclasses import replace

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from orchestrator.reporting import run_sentences, sentences
from orchestrator.reporting.arm_table import table_headers, table_rows
from orchestrator.reporting.report_model import Report, Row
from orchestrator.terminal.tables import MOST_ROWS
from orchestrator.terminal.verdicts import print_blind, print_short

_MOST_INTERVALS = 5
"""With more benchmarks only the mean over all has its interval: cells would be broken into four lines."""
_WIDE_NOTE = "Intervals of single benchmarks are in the report as html, md, csv and json (`--to`)."


def to_terminal(report: Report, console: Console) -> None:
    """Print verdicts, arms by benchmarks, findings, what sharing saved, and what went wrong."""
    console.print(Text(report.study, style="bold"))
    if report.verdicts.opening:
        console.print(Text(report.verdicts.opening, style="bold yellow"))
    console.print(Text(report.question))
    console.print(Text(sentences.state_line(report)))
    if report.has_results:
        _print_results(report, console)
    else:
        console.print(Text(sentences.NOTHING))
    _print_problems(report, console)


def _print_results(report: Report, console: Console) -> None:
    for verdict in report.verdicts.verdicts:
        print_short(verdict, console)
    rows = _shown_rows(report)
    console.print(_terminal_table(replace(report, rows=rows)))
    if len(rows) < len(report.rows):
        best = f"{len(rows):,} of {len(report.rows):,} arms: the base and those with the highest scores."
        console.print(Text(f"- {best} All are in the report as html, md, csv and json (`--to`).", style="dim"))
    if _is_wide(report):
        console.print(Text(f"- {_WIDE_NOTE}", style="dim"))
    for line in sentences.table_notes(report):
        console.print(Text(f"- {line}", style="dim"))
    print_blind(report.verdicts.blind, console)
    for axis in report.axes:
        base = f" (base: {axis.base_value})" if axis.base_value is not None else ""
        console.print(Text(f"\n{axis.axis or 'other arms'}{base}", style="bold"))
        for finding in axis.findings:
            console.print(Text.assemble("  ", (finding.label, "cyan"), f": {finding.sentence}"))
    if report.axes:
        console.print(Text(f"\n{sentences.how_judged(report)}", style="dim"))
    console.print(Text(f"\n{sentences.sharing_line(report)}"))
    if (planned := sentences.planned_line(report)) is not None:
        console.print(Text(planned))
    for line in run_sentences.run_lines(report)[-1:]:
        console.print(Text(line))


def _print_problems(report: Report, console: Console) -> None:
    """Print what failed, what was not used, and under which differing conditions arms ran."""
    for failure in report.failures:
        console.print(Text.assemble(("failed ", "red"), f"{failure.trial} {sentences.failure_line(failure)}"))
        if failure.log:
            console.print(Text(f"  log: {failure.log}"), soft_wrap=True)
    for line in sentences.tried_again_lines(report):
        console.print(Text.assemble(("tried again ", "yellow"), line))
    for problem in report.problems:
        console.print(Text.assemble(("not used ", "yellow"), problem))
    for condition in report.provenance.conditions:
        if len(condition.arms) > 1:
            console.print(Text.assemble(("differs ", "yellow"), sentences.condition_line(condition)))


def _is_wide(report: Report) -> bool:
    return len(report.columns) > _MOST_INTERVALS


def _shown_rows(report: Report) -> tuple[Row, ...]:
    """Choose the rows of a table that a person can read: the base and the arms with the highest scores, in order."""

    def rank(row: Row) -> tuple[bool, float]:
        score = row.mean.estimate
        return row.arm == report.base, score.value if score is not None else -math.inf

    shown = {row.arm for row in sorted(report.rows, key=rank, reverse=True)[:MOST_ROWS]}
    return tuple(row for row in report.rows if row.arm in shown)


def _terminal_table(report: Report) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for i, name in enumerate(table_headers(report)):
        table.add_column(Text(name), justify="left" if i < 2 else "right", overflow="fold")
    for names, cells in table_rows(report, has_limits=not _is_wide(report)):
        texts = [Text(text, style="bold" if is_best else "") for text, is_best in cells]
        table.add_row(*map(Text, names), *texts)
    return table
