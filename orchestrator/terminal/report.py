"""Print a report's findings in a terminal."""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from orchestrator.analysis.verdicts import Verdict
from orchestrator.reporting import words
from orchestrator.reporting.model import Report
from orchestrator.reporting.text import _headers, _lines


def to_terminal(report: Report, console: Console) -> None:
    console.print(Text(report.study, style="bold"))
    console.print(Text(report.question))
    console.print(Text(words.state_line(report)))
    if report.has_results:
        for verdict in report.verdicts.verdicts:
            _print_verdict(verdict, console)
        console.print(_terminal_table(report))
        for line in words.table_notes(report):
            console.print(Text(f"- {line}", style="dim"))
        for axis in report.axes:
            base = f" (base: {axis.base_value})" if axis.base_value is not None else ""
            console.print(Text(f"\n{axis.axis or 'other arms'}{base}", style="bold"))
            for finding in axis.findings:
                console.print(Text.assemble("  ", (finding.label, "cyan"), f": {finding.sentence}"))
        if report.axes:
            console.print(Text(f"\n{words.how_judged(report)}", style="dim"))
        console.print(Text(f"\n{words.sharing_line(report.sharing)}"))
    else:
        console.print(Text(words.NOTHING))
    for failure in report.failures:
        console.print(Text.assemble(("failed ", "red"), f"{failure.trial} ({failure.kind}): {failure.message}"))
        if failure.log:
            console.print(Text(f"  log: {failure.log}"), soft_wrap=True)
    for problem in report.problems:
        console.print(Text.assemble(("not used ", "yellow"), problem))
    for condition in report.provenance.conditions:
        if len(condition.arms) > 1:
            console.print(Text.assemble(("differs ", "yellow"), words.condition_line(condition)))


_COLOURS = {True: "green", False: "red", None: "yellow"}


def _print_verdict(verdict: Verdict, console: Console) -> None:
    state = (f"[{words.HOLDS[verdict.holds]}]", _COLOURS[verdict.holds])
    console.print(Text.assemble("\n", (verdict.id, "bold"), f": {verdict.claim}  ", state))
    console.print(Text(f"  {words.verdict_words(verdict)}"))
    for line in (words.certainty(verdict), words.deciding(verdict)):
        if line:
            console.print(Text(f"  {line}", style="dim"))


def _terminal_table(report: Report) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for i, name in enumerate(_headers(report)):
        table.add_column(Text(name), justify="left" if i < 2 else "right", overflow="fold")
    for names, cells in _lines(report):
        texts = [Text(text, style="bold" if is_best else "") for text, is_best in cells]
        table.add_row(*map(Text, names), *texts)
    return table
