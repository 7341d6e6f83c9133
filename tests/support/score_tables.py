"""Tables of scores for tests: the published one, and small ones that are written to a file first."""

from __future__ import annotations

from pathlib import Path

from orchestrator.analysis.methods.judge_table import judge_table
from orchestrator.analysis.methods.registry import TableMethodName
from orchestrator.analysis.score_table import read_table
from orchestrator.analysis.verdict_model import Verdict, Verdicts
from search_spaces.catalogue.load import shipped
from search_spaces.claims import find_file, load_claims

TABLE = "model,GQA,mine,POPE\na,50,60,70\nb,52,61.5,73\nc,51,,70\n"
CLAIM = "hypotheses:\n  - {{id: h, claim: c, pairs: [[{0}, {1}]], on: {2}, expect: better}}\n"


def judge_published(method: TableMethodName) -> Verdicts:
    """Judge the shipped claims on the published table of Prismatic VLMs."""
    table = read_table(find_file("prismatic/published", ".csv", "scores"))
    claims, document = load_claims(find_file("prismatic/claims", ".yaml", "hypotheses"))
    return judge_table(table, claims.hypotheses, document, method, shipped().suites)


def judge_files(tmp_path: Path, csv: str, yaml: str, method: TableMethodName = "paired-table") -> tuple[Verdict, ...]:
    """Judge the claims of a YAML text on the table of a CSV text."""
    (tmp_path / "t.csv").write_text(csv)
    (tmp_path / "c.yaml").write_text(yaml)
    claims, document = load_claims(tmp_path / "c.yaml")
    return judge_table(read_table(tmp_path / "t.csv"), claims.hypotheses, document, method, shipped().suites).verdicts
