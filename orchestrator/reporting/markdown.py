"""A report as Markdown. Equal reports give equal bytes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import jinja2

from orchestrator.analysis import blind_sentences, verdict_sentences
from orchestrator.reporting import questions, run_sentences, sentences
from orchestrator.reporting.arm_table import table_headers, table_rows
from orchestrator.reporting.markdown_text import cell, inline, line
from orchestrator.reporting.report_model import Report


def to_markdown(report: Report) -> str:
    """Write the report as Markdown."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("orchestrator.reporting"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,  # Markdown, for people and for MLflow's viewer; nothing here is HTML
        finalize=_text,
    )
    environment.filters.update(cell=cell, line=line)
    text = environment.get_template("report.md.j2").render(
        report=report,
        sentences=sentences,
        run_sentences=run_sentences,
        verdict_sentences=verdict_sentences,
        blind=blind_sentences,
        questions=questions,
        table=_markdown_table(report),
    )
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def _markdown_table(report: Report) -> list[str]:
    headers = table_headers(report)
    lines = [_markdown_line(headers), "|---|---|" + "--:|" * (len(headers) - 2)]
    for names, cells in table_rows(report):
        lines.append(_markdown_line([*names, *(f"**{text}**" if is_best else text for text, is_best in cells)]))
    return list(map(_Line, lines))


def _markdown_line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(map(cell, cells))} |"


def _text(value: Any) -> Any:
    """Write what an expression of the template gave; lines of the table are Markdown already."""
    return value if isinstance(value, _Line) else inline(str(value))


class _Line(str):
    """Line of Markdown, of which every cell was escaped."""
