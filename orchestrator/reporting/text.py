"""A report as text: Markdown and a terminal. Equal reports give equal bytes."""

from __future__ import annotations

import re
from collections.abc import Sequence

import jinja2
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from orchestrator.analysis.verdicts import Verdict
from orchestrator.reporting import words
from orchestrator.reporting.model import Report


def to_markdown(report: Report) -> str:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("orchestrator"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,  # Markdown, for people and for MLflow's viewer; nothing here is HTML
    )
    environment.filters["cell"] = _escaped
    text = environment.get_template("report.md.j2").render(report=report, words=words, table=_markdown_table(report))
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


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


def _headers(report: Report) -> list[str]:
    means = [f"mean of {len(report.columns)}"] if len(report.columns) > 1 else []
    return [
        "arm",
        "seeds",
        *means,
        *(f"{c.benchmark} (n {c.n_examples})" if c.n_examples is not None else c.benchmark for c in report.columns),
    ]


def _lines(report: Report) -> list[tuple[list[str], list[tuple[str, bool]]]]:
    """Of each row: arm and seeds, then the text of each cell and whether it is the best of its column."""
    rows = []
    for row in report.rows:
        texts = [(words.cell_text(cell, column), cell.is_best) for cell, column in report.cells(row)]
        rows.append(([row.arm, ", ".join(map(str, row.seeds))], texts))
    return rows


def _markdown_table(report: Report) -> list[str]:
    headers = _headers(report)
    lines = [_markdown_line(headers), "|---|---|" + "--:|" * (len(headers) - 2)]
    for names, cells in _lines(report):
        lines.append(_markdown_line([*names, *(f"**{text}**" if is_best else text for text, is_best in cells)]))
    return lines


def _markdown_line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(map(_escaped, cells))} |"


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _terminal_table(report: Report) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for i, name in enumerate(_headers(report)):
        table.add_column(Text(name), justify="left" if i < 2 else "right", overflow="fold")
    for names, cells in _lines(report):
        texts = [Text(text, style="bold" if is_best else "") for text, is_best in cells]
        table.add_row(*map(Text, names), *texts)
    return table
