"""Verdicts on a terminal: in full for `ablate verdicts`, and in short for a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.console import Console, Group
from rich.text import Text

from orchestrator.analysis.aggregates import Aggregate, Aggregates
from orchestrator.analysis.blind_model import BlindBenchmark
from orchestrator.analysis.blind_sentences import BLIND_COLUMNS, BLIND_NOTE, blind_rows, blind_sentence
from orchestrator.analysis.factors import Factors
from orchestrator.analysis.number_text import ends_text, p_text, signed
from orchestrator.analysis.verdict_model import PublishedComparison, Verdict, Verdicts
from orchestrator.analysis.verdict_sentences import (
    certainty_line,
    price_sentence,
    sentence_with_arms,
    state_text,
)
from orchestrator.terminal.tables import table

_MOST_ROWS = 12
_COLOURS: Mapping[bool | None, str] = {True: "green", False: "red", None: "yellow"}


def to_terminal(judged: Verdicts, console: Console) -> None:
    """Print every verdict with its reasons, the aggregates, main effects, and the notes."""
    console.print(Text(f"Verdicts on {judged.source}", style="bold"))
    if judged.opening:
        console.print(Text(judged.opening, style="bold yellow"))
    for verdict in judged.verdicts:
        console.print(_title(verdict))
        for line in _lines(verdict):
            console.print(Text(f"  {line}"))
    print_blind(judged.blind, console)
    aggregates = judged.aggregates
    if aggregates is not None and aggregates.models:
        console.print()
        console.print(_aggregates_table(aggregates))
    if aggregates is not None and aggregates.factors is not None:
        console.print()
        for line in _factor_lines(aggregates.factors):
            console.print(Text(line))
    console.print()
    for note in judged.notes:
        console.print(Text(note, style="dim"))


def print_short(verdict: Verdict, console: Console) -> None:
    """Print one verdict as a report shows it: the claim, one sentence, how sure it is, and what would decide it."""
    console.print(_title(verdict))
    console.print(Text(f"  {sentence_with_arms(verdict)}"))
    for line in (certainty_line(verdict), blind_sentence(verdict), price_sentence(verdict)):
        if line:
            console.print(Text(f"  {line}", style="dim"))


def print_blind(benchmarks: Sequence[BlindBenchmark], console: Console) -> None:
    """Print what the best arm of each benchmark answers without its images; nothing where no arm was asked so."""
    if not benchmarks:
        return
    console.print()
    rows = blind_rows(benchmarks)
    console.print(
        table("Without images", BLIND_COLUMNS, rows, right=tuple(range(2, len(BLIND_COLUMNS))), total=len(rows))
    )
    console.print(Text(BLIND_NOTE, style="dim"))


def _aggregates_table(aggregates: Aggregates) -> Group:
    """Tabulate the models, best first; raw points beside every z."""
    pool = aggregates.pool
    assert pool is not None
    title = f"Against the pool {pool.name!r} ({len(pool.members)} members), z with its jackknife error"
    groups = list(dict.fromkeys(group for model in aggregates.models for group in model.groups))
    columns = ("model", "points", "z", *groups)
    rows = (_aggregate_row(model, groups) for model in aggregates.models)
    right = tuple(range(1, len(columns)))
    return table(title, columns, rows, right=right, total=len(aggregates.models), most=_MOST_ROWS)


def _aggregate_row(model: Aggregate, groups: Sequence[str]) -> tuple[str, ...]:
    means = (f"{model.groups[group]:.1f}" if group in model.groups else "" for group in groups)
    error = "error not defined" if model.z_error is None else f"± {model.z_error:.2f}"
    return model.model, f"{model.points:.1f}", f"{model.z:+.2f} {error}", *means


def _factor_lines(factors: Factors) -> list[str]:
    """List the effects of single values over all trials, and what the design leaves unknown."""
    lines = [
        f"{factor.term}: {signed(factor.effect)} points ({ends_text(*factor.interval)})" for factor in factors.factors
    ]
    if lines:
        lines.insert(0, "Main effects in the mean over all benchmarks (95 % interval over seeds):")
    return lines + [f"not known from this design: {reason}" for reason in factors.unknown]


def _title(verdict: Verdict) -> Text:
    state = (f"[{state_text(verdict)}]", _COLOURS[verdict.holds])
    return Text.assemble("\n", (verdict.id, "bold"), f": {verdict.claim}  ", state)


def _lines(verdict: Verdict) -> list[str]:
    lines = [verdict.sentence]
    if verdict.p is not None and verdict.p_adjusted is not None:
        expected = f"expected {verdict.expect}" + (f" (margin {verdict.margin:g})" if verdict.margin else "")
        lines.append(
            f"{expected}; p {p_text(verdict.p)}, among all {p_text(verdict.p_adjusted)} (Holm); scope {verdict.scope}"
        )
    if verdict.beside is not None:
        lines.append(f"with the spread pooled over the arms: {ends_text(*verdict.beside)}")
    if verdict.effect is not None:
        lines += [f"- {reason}" for reason in verdict.reasons]
    if verdict.blind is not None:
        lines.append(verdict.blind.sentence)
    lines += [f"- {test.name}: p {p_text(test.p)}, {test.verdict}" for test in verdict.sensitivity]
    if verdict.published is not None:
        lines.append(f"- {_published(verdict.published, verdict)}")
    return lines


def _published(comparison: PublishedComparison, verdict: Verdict) -> str:
    if comparison.difference is None:
        return f"published: {comparison.reason}"
    text = f"published: {signed(comparison.difference)} {verdict.unit}"
    if comparison.own is None or comparison.agrees is None:
        return f"{text}; nothing to hold against it: {comparison.reason}"
    sign = "same sign" if comparison.agrees_in_sign else "other sign"
    inside = "inside" if comparison.in_interval else "outside of"
    agrees = "agrees" if comparison.agrees else "does not agree"
    return f"{text}, own {signed(comparison.own)}: {agrees} ({sign}, {inside} the own interval)"
