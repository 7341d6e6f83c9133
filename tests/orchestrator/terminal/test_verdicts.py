"""Verdicts in the terminal: the claim, its reasons and what would move it."""

from __future__ import annotations

from orchestrator.analysis.methods.judge_table import judge_table
from orchestrator.analysis.score_table import read_table
from orchestrator.terminal.verdicts import to_terminal
from search_spaces.catalogue.load import shipped
from search_spaces.claims import find_file, load_claims
from tests.support.terminal_text import shown


def test_terminal_says_verdict_claim_reasons_and_what_moves_it() -> None:
    table = read_table(find_file("prismatic/published", ".csv", "scores"), "published")
    claims, document = load_claims(find_file("prismatic/claims", ".yaml", "hypotheses"))
    verdicts = judge_table(table, claims.hypotheses, document, "prismatic-2024", shipped().suites)
    text = shown(lambda console: to_terminal(verdicts, console))
    assert (
        "single-stage: Leaving out the align stage loses nothing, and helps (4.1)  [open: these checkpoints differ]"
        in text
    )
    assert "Better: +2.1 percent (99 % interval +0.2 to +4.0; 2 pairs on 12 benchmarks)." in text
    assert "refcoco, refcoco+ and refcocog counted once: p .0596, undecided" in text
    assert "Against the pool 'published' (46 members)" in text
