"""Own differences stand beside the published ones, in points, where arms have published ids."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.analysis.methods.judge_table import judge_table
from orchestrator.analysis.published import beside_published
from orchestrator.analysis.score_table import ScoreTable, read_table
from search_spaces.catalogue.load import shipped
from search_spaces.claims import find_file, load_claims
from tests.support.score_tables import CLAIM, TABLE, judge_published


def test_reproduction_is_shown_beside_the_published_difference() -> None:
    table = read_table(find_file("prismatic/published", ".csv", "scores"))
    moved = {
        model: {name: score - (8 if model == "llava-lrv+7b" else 0) for name, score in row.items()}
        for model, row in table.scores.items()
    }
    claims, document = load_claims(find_file("prismatic/claims", ".yaml", "hypotheses"))
    own = judge_table(
        ScoreTable("own", table.benchmarks, moved), claims.hypotheses, document, "paired-table", shipped().suites
    )
    compared = {one.id: one.published for one in beside_published(own, table).verdicts}
    lrv, lvis = compared["lrv"], compared["lvis4v"]
    assert lrv is not None
    assert lvis is not None
    assert lrv.difference is not None
    assert lrv.own == pytest.approx(lrv.difference - 8)
    assert (lrv.agrees_in_sign, lrv.in_interval, lrv.agrees) == (False, False, False)
    assert lvis.agrees is True


def test_study_whose_arms_carry_published_ids_is_compared_in_points() -> None:
    table = read_table(find_file("prismatic/published", ".csv", "scores"))
    own = judge_published("paired-table")
    study = replace(own, method="study", verdicts=tuple(replace(one, method="study") for one in own.verdicts))
    single = beside_published(study, table).verdicts[0].published
    assert single is not None
    by_benchmark = [part.effect for part in own.verdicts[0].by_benchmark]
    assert single.difference == pytest.approx(sum(by_benchmark) / len(by_benchmark))
    assert single.agrees is True


def test_hypothesis_of_other_models_has_no_published_difference(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(TABLE)
    (tmp_path / "c.yaml").write_text(CLAIM.format("a", "b", "all"))
    claims, document = load_claims(tmp_path / "c.yaml")
    own = judge_table(read_table(tmp_path / "t.csv"), claims.hypotheses, document, "paired-table", shipped().suites)
    table = read_table(find_file("prismatic/published", ".csv", "scores"))
    comparison = beside_published(own, table).verdicts[0].published
    assert comparison is not None
    assert comparison.agrees is None
    assert comparison.reason == "not in the published table: a, b, mine"
