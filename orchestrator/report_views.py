"""A report for people and programs: Markdown, a terminal, JSON. Equal reports give equal bytes."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import jinja2
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from orchestrator.report import Absence, Cell, Column, Condition, Report, Sharing


def to_json(report: Report) -> str:
    """All of the report, floats rounded to 6 decimals."""
    return json.dumps(_rounded(asdict(report)), indent=1, sort_keys=True, allow_nan=False) + "\n"


def to_markdown(report: Report) -> str:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("orchestrator"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,  # Markdown, for people and for MLflow's viewer; nothing here is HTML
    )
    environment.filters["cell"] = _escaped
    text = environment.get_template("report.md.j2").render(
        report=report,
        state=_state_line(report),
        nothing=_NOTHING,
        table=_markdown_table(report),
        notes=_table_notes(report),
        how=_how_judged(report),
        sharing=_sharing_line(report.sharing),
        costs_note=_COSTS_NOTE,
        provenance=_provenance_lines(report),
    )
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def to_terminal(report: Report, console: Console) -> None:
    console.print(Text(report.study, style="bold"))
    console.print(Text(report.question))
    console.print(Text(_state_line(report)))
    if report.has_results:
        console.print(_terminal_table(report))
        for line in _table_notes(report):
            console.print(Text(f"- {line}", style="dim"))
        for axis in report.axes:
            base = f" (base: {axis.base_value})" if axis.base_value is not None else ""
            console.print(Text(f"\n{axis.axis or 'other arms'}{base}", style="bold"))
            for finding in axis.findings:
                console.print(Text.assemble("  ", (finding.label, "cyan"), f": {finding.sentence}"))
        if report.axes:
            console.print(Text(f"\n{_how_judged(report)}", style="dim"))
        console.print(Text(f"\n{_sharing_line(report.sharing)}"))
    else:
        console.print(Text(_NOTHING))
    for failure in report.failures:
        console.print(Text.assemble(("failed ", "red"), f"{failure.trial} ({failure.kind}): {failure.message}"))
        if failure.log:
            console.print(Text(f"  log: {failure.log}"), soft_wrap=True)
    for problem in report.problems:
        console.print(Text.assemble(("not used ", "yellow"), problem))
    for condition in report.conditions:
        if len(condition.arms) > 1:
            console.print(Text.assemble(("differs ", "yellow"), _condition_line(condition)))


_NOTHING = "Nothing is scored yet. `ablate run` trains and scores the trials; what is done already is kept."
_COSTS_NOTE = (
    "GPU-seconds are wall seconds times devices (workers, where there is no GPU) that the arm's trials spent; `alone` "
    "is what they would have spent with all their stages to themselves."
)
_ABSENCES: Mapping[Absence, str] = {
    "diverged": "diverged",
    "failed": "failed",
    "running": "running",
    "changed": "data changed",
    "half-done": "missing",
    "pending": "missing",
    "unreadable": "unreadable",
}
_ARMS_NAMED = 5


def _state_line(report: Report) -> str:
    states = [f"{count} {state}" for state, count in report.counts.items() if count and state != "done"]
    rest = f" ({', '.join(states)})" if states else ""
    diverged = f" Diverged: {', '.join(report.diverged)}." if report.diverged else ""
    return f"{report.counts['done']} of {report.n_trials} trials are done{rest}.{diverged}"


def _cell_text(cell: Cell, column: Column | None) -> str:
    """`87.3 (85.1 to 89.5)` and what must be said with it; or why there is no number."""
    reasons: dict[str, list[int]] = {}
    for seed, absence in cell.absent.items():
        reasons.setdefault(_ABSENCES[absence], []).append(seed)
    if cell.refused is not None:
        return "refused"
    if cell.estimate is None:
        if len(reasons) == 1:
            return next(iter(reasons))
        return ", ".join(f"{word} ({_seeds(seeds)})" for word, seeds in reasons.items())
    estimate = cell.estimate
    parts = [f"{estimate.value:.1f} ({estimate.interval.low:.1f} to {estimate.interval.high:.1f})"]
    if column is not None and column.n_examples is None:
        parts.append(f"n {estimate.n_examples}")
    if cell.no_signal:
        everywhere = set(cell.no_signal) >= set(estimate.seeds)
        parts.append("no signal" if everywhere else f"no signal ({_seeds(cell.no_signal)})")
    parts += [f"{word} ({_seeds(seeds)})" for word, seeds in reasons.items()]
    return ", ".join(parts)


def _seeds(seeds: Sequence[int]) -> str:
    return f"{'seed' if len(seeds) == 1 else 'seeds'} {', '.join(map(str, seeds))}"


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
        cells: list[tuple[Cell, Column | None]] = [(row.mean, None)] if len(report.columns) > 1 else []
        cells += zip(row.cells, report.columns, strict=True)
        texts = [(_cell_text(cell, column), cell.is_best) for cell, column in cells]
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


def _table_notes(report: Report) -> list[str]:
    cells = [cell for row in report.rows for cell in (*row.cells, row.mean)]
    estimates = [cell.estimate for cell in cells if cell.estimate is not None]
    notes = []
    if any(estimate.scope == "recipe" for estimate in estimates):
        notes.append("Intervals cover seeds and images (clusters of questions about one image).")
    if any(estimate.scope == "checkpoints" for estimate in estimates):
        notes.append("With one seed an interval covers images only: it is that of these weights, not of the recipe.")
    if any(cell.no_signal for cell in cells):
        notes.append("no signal: one answer throughout, or the score of always giving the most frequent answer.")
    refusals = [
        f"{row.arm} on {column.benchmark} is refused: {cell.refused}"
        for row in report.rows
        for column, cell in zip(report.columns, row.cells, strict=True)
        if cell.refused is not None
    ]
    return notes + refusals


def _how_judged(report: Report) -> str:
    """How the sentences came about, in as many words as a reader needs to distrust them in the right places."""
    differences = [
        difference
        for axis in report.axes
        for finding in axis.findings
        for difference in (finding.mean, *finding.benchmarks)
        if difference is not None
    ]
    text = (
        "Differences are paired by example and seed. A difference is clear if its 95 % interval excludes 0, if it "
        f"stands out among all {report.n_comparisons} comparisons of this report (Benjamini-Hochberg, q = 0.05), and "
        "if the other estimate of the seeds' spread agrees."
    )
    if any(d.seeds_from == "pooled" for d in differences):
        text += (
            " With 2 to 4 seeds that spread is pooled over the arms; a pair that varies more than the others is only "
            "caught where its own few seeds show it."
        )
    return text + " No clear difference does not mean that there is none."


def _sharing_line(sharing: Sharing) -> str:
    text = f"Stages: {sharing.stages_by_trial} counted by trial, {sharing.stages} as work."
    if sharing.features:
        text += f" Feature caches: {sharing.features_by_trial} counted by trial, {sharing.features} as work."
    spent, alone = sharing.gpu_seconds, sharing.gpu_seconds_alone
    saved = f" ({100 * (alone - spent) / alone:.0f} % saved)" if alone > 0 else ""
    return f"{text} GPU-seconds: {alone:.1f} one by one, {spent:.1f} spent{saved}."


def _provenance_lines(report: Report) -> list[str]:
    equal = [f"{c.name} {value}" for c in report.conditions if len(c.arms) == 1 for value in c.arms]
    lines = [f"The same for all: {', '.join(equal)}."] if equal else []
    return lines + [f"Differs: {_condition_line(c)}" for c in report.conditions if len(c.arms) > 1]


def _condition_line(condition: Condition) -> str:
    parts = []
    for value, arms in condition.arms.items():
        more = f" and {len(arms) - _ARMS_NAMED} more" if len(arms) > _ARMS_NAMED else ""
        parts.append(f"{value} ({', '.join(arms[:_ARMS_NAMED])}{more})")
    return f"{condition.name}: {', '.join(parts)}"


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 6)
    if isinstance(value, dict):
        return {str(key): _rounded(item) for key, item in value.items()}
    return [_rounded(item) for item in value] if isinstance(value, list | tuple) else value
