r"""A report as LaTeX, to be `\input` into a paper: a table of verdicts, and arms by benchmarks. Needs booktabs."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from orchestrator.analysis.number_text import p_text
from orchestrator.analysis.prior_rows import Prior
from orchestrator.analysis.verdict_model import Verdict
from orchestrator.analysis.verdict_sentences import state_text
from orchestrator.reporting import sentences
from orchestrator.reporting.report_model import Cell, Mark, Report

BENCHMARKS_PER_TABLE = 7
"""More columns do not fit a page: they go on in a further table."""

ARROWS: Mapping[Mark, str] = {"higher": r"\uparrow", "lower": r"\downarrow"}
"""Mark of a cell -> its symbol."""
_SPECIAL = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': "''",
    "[": "{[}",
    "]": "{]}",
}


def to_tex(report: Report) -> str:
    r"""Write tables ready for `\input`; `\usepackage{booktabs}` in the preamble. Without results a comment says so."""
    head = f"% {report.study}, digest {report.digest[:12]}; needs \\usepackage{{booktabs}}\n"
    if not report.has_results:
        return f"{head}% {sentences.NOTHING}\n"
    tables = [_verdict_table(report)] if report.verdicts.verdicts else []
    n = len(report.columns)
    for start in range(0, n, BENCHMARKS_PER_TABLE):
        tables.append(_score_table(report, range(start, min(start + BENCHMARKS_PER_TABLE, n))))
    return head + "\n".join(tables)


def escaped(text: str) -> str:
    """Escape plain text for LaTeX. What pdfLaTeX has no letter for becomes a question mark."""
    special = "".join(_SPECIAL.get(letter, letter) for letter in re.sub(r"\s+", " ", text))
    return special.encode("ascii", "replace").decode() if not special.isascii() else special


def _verdict_table(report: Report) -> str:
    rows = [_verdict_row(verdict) for verdict in report.verdicts.verdicts]
    caption = (
        f"{_sentence(report.question)}Verdicts: difference in points with its "
        f"{100 * report.verdicts.level:g} % interval; p after Holm's correction."
    )
    header = r"claim & verdict & difference & interval & $p$ \\"
    return _table(r"p{.34\linewidth}lrrr", header, rows, escaped(caption), f"tab:{_label(report.study)}-verdicts")


def _verdict_row(verdict: Verdict) -> str:
    claim = f"{escaped(verdict.claim)} ({state_text(verdict)})"
    if verdict.effect is None or verdict.interval is None or verdict.p_adjusted is None:
        return rf"{claim} & not compared & & & \\[2pt]"
    low, high = verdict.interval
    effect = f"${verdict.effect:+.1f}$"
    return rf"{claim} & {verdict.verdict} & {effect} & $[{low:+.1f}, {high:+.1f}]$ & {_p(verdict.p_adjusted)} \\[2pt]"


def _score_table(report: Report, columns: Sequence[int]) -> str:
    """Write two lines for each arm: scores, and their intervals in small type."""
    with_mean = len(report.columns) > 1
    rows: list[str] = []
    incomplete: list[str] = []
    for row in report.rows:
        cells = [*([row.mean] if with_mean else []), *(row.cells[i] for i in columns)]
        rows += _arm_lines(row.arm, cells)
        partial = next((cell for cell in cells if cell.estimate is not None and cell.absent), None)
        if partial is not None:
            incomplete.append(f"{row.arm} without {sentences.absence_text(partial, always_seeds=True)}")
    rows += [_prior_line(prior, columns, with_mean) for prior in report.priors]
    label = f"tab:{_label(report.study)}-scores" + (f"-{columns[0] + 1}" if _is_part(report, columns) else "")
    spec = "l" + "r" * (len(columns) + with_mean)
    return _table(spec, _score_header(report, columns), rows, _score_caption(report, columns, incomplete), label)


def _score_header(report: Report, columns: Sequence[int]) -> str:
    """Write the names of the benchmarks and, where they are known, the numbers of their examples."""
    names = [escaped(report.columns[i].benchmark) for i in columns]
    sizes = [report.columns[i].n_examples for i in columns]
    counts = [rf"{{\scriptsize $n={size:,}$}}".replace(",", "{,}") if size is not None else "" for size in sizes]
    means = [f"mean of {len(report.columns)}"] if len(report.columns) > 1 else []
    header = rf"arm & {' & '.join([*means, *names])} \\"
    if any(counts):
        header += f"\n & {' & '.join([*('' for _ in means), *counts])} \\\\"
    return header


def _arm_lines(arm: str, cells: Sequence[Cell]) -> list[str]:
    """Write the scores of an arm and their intervals, or one line that says why it has none."""
    if all(cell.estimate is None for cell in cells) and len({_absent(cell) for cell in cells}) == 1:
        return [rf"{escaped(arm)} & \multicolumn{{{len(cells)}}}{{l}}{{{_absent(cells[0])}}} \\[2pt]"]
    return [
        rf"{escaped(arm)} & {' & '.join(map(_value, cells))} \\",
        rf" & {' & '.join(map(_interval, cells))} \\[2pt]",
    ]


def _prior_line(prior: Prior, columns: Sequence[int], with_mean: bool) -> str:
    values = [*([prior.mean] if with_mean else []), *(prior.values[i] for i in columns)]
    return rf"\textit{{{escaped(prior.name)}}} & {' & '.join(map(sentences.prior_text, values))} \\"


def _score_caption(report: Report, columns: Sequence[int], incomplete: Sequence[str]) -> str:
    n = len(report.columns)
    part = f" ({columns[0] + 1} to {columns[-1] + 1} of {n})" if _is_part(report, columns) else ""
    caption = (
        rf"Arms by benchmarks{part}: points with their 95~\% intervals. Bold: the highest mean of a column; "
        r"$\uparrow$, $\downarrow$: clearly higher or lower than the base."
    )
    if report.priors:
        caption += " In italics: what needs no image."
    unread = _unread(report)
    if unread:
        caption += f" Answers that could not be read: {escaped(unread)}."
    if any(cell.no_signal for row in report.rows for cell in row.cells):
        caption += r" $\dagger$: no signal, with some seed at least."
    if incomplete:
        caption += rf" $\ddagger$: {escaped('; '.join(incomplete))}."
    return caption


def _unread(report: Report) -> str:
    """List the shares of answers that could not be read, where there are any."""
    return "; ".join(
        f"{row.arm} on {column.benchmark} {sentences.share_text(cell.unread_share)}"
        for row in report.rows
        for column, cell in zip(report.columns, row.cells, strict=True)
        if cell.unread_share
    )


def _is_part(report: Report, columns: Sequence[int]) -> bool:
    return len(columns) < len(report.columns)


def _value(cell: Cell) -> str:
    if cell.estimate is None:
        return _absent(cell)
    value = f"{cell.estimate.value:.1f}"
    marks = [ARROWS[cell.mark]] if cell.mark is not None else []
    raised = (r"\dagger" if cell.no_signal else "") + (r"\ddagger" if cell.absent else "")
    marks += [f"^{{{raised}}}"] if raised else []
    return (rf"\textbf{{{value}}}" if cell.is_best else value) + (f"${''.join(marks)}$" if marks else "")


def _absent(cell: Cell) -> str:
    return escaped("refused" if cell.refused is not None else sentences.absence_text(cell))


def _interval(cell: Cell) -> str:
    if cell.estimate is None:
        return ""
    interval = cell.estimate.interval
    return rf"{{\scriptsize $[{interval.low:.1f}, {interval.high:.1f}]$}}"


def _table(columns: str, header: str, rows: Sequence[str], caption: str, label: str) -> str:
    lines = [
        r"\begin{table*}[t]",
        r"\centering\small",
        rf"\caption{{{caption}}}",
        rf"\label{{{label}}}",
        rf"\begin{{tabular}}{{{columns}}}",
        r"\toprule",
        header,
        r"\midrule",
        *rows,
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table*}",
    ]
    return "\n".join(lines) + "\n"


def _p(p: float) -> str:
    text = p_text(p)
    number, _, exponent = text.partition("e")
    return rf"${number}\cdot 10^{{{int(exponent)}}}$" if exponent else f"${number}$"


def _label(study: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", study.lower())


def _sentence(text: str) -> str:
    return f"{text} " if text else ""
