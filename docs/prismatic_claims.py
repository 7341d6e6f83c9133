"""Write the table of claims of docs/tables.md from the published scores: ``python -m docs.prismatic_claims``."""

from __future__ import annotations

from orchestrator.analysis.methods.judge_table import judge_table
from orchestrator.analysis.number_text import p_text, signed
from orchestrator.analysis.score_table import read_table
from orchestrator.analysis.verdict_model import Verdict
from search_spaces.catalogue.load import shipped
from search_spaces.claims import find_file, load_claims


def table() -> str:
    """Judge the claims by the paper's method, and write them as Markdown, one row each, beside `paired-table`'s p."""
    scores = read_table(find_file("prismatic/published", ".csv", "scores"))
    claims, document = load_claims(find_file("prismatic/claims", ".yaml", "hypotheses"))
    suites = shipped().suites
    theirs = judge_table(scores, claims.hypotheses, document, "prismatic-2024", suites).verdicts
    ours = judge_table(scores, claims.hypotheses, document, "paired-table", suites).verdicts
    rows = [
        "| claim | expected | effect | p | verdict at .01 | Holm's p | p, RefCOCO once | p, without VSR "
        "| paired-table: p | Holm's p |",
        "|---|---|--:|--:|---|--:|--:|--:|--:|--:|",
    ]
    return "\n".join([*rows, *(_row(verdict, own) for verdict, own in zip(theirs, ours, strict=True))])


def _row(verdict: Verdict, own: Verdict) -> str:
    assert verdict.effect is not None
    once, without = verdict.sensitivity
    cells = [
        verdict.id,
        verdict.expect,
        f"{signed(verdict.effect)} %",
        _p(verdict.p),
        verdict.verdict,
        _p(verdict.p_adjusted),
        p_text(once.p),
        p_text(without.p),
        _p(own.p),
        _p(own.p_adjusted),
    ]
    return f"| {' | '.join(cells)} |"


def _p(p: float | None) -> str:
    return "" if p is None else p_text(p)


if __name__ == "__main__":
    print(table())
