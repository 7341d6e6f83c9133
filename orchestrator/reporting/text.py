"""A report as text: Markdown and a terminal. Equal reports give equal bytes."""

from __future__ import annotations

import re
from collections.abc import Sequence

import jinja2

from orchestrator.reporting import words
from orchestrator.reporting.model import Report


def to_markdown(report: Report) -> str:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("orchestrator.reporting"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,  # Markdown, for people and for MLflow's viewer; nothing here is HTML
    )
    environment.filters["cell"] = _escaped
    text = environment.get_template("report.md.j2").render(report=report, words=words, table=_markdown_table(report))
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


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
