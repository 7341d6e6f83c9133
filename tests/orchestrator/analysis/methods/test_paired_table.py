"""The method `paired-table` is the t test over the cells of a table, in points."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from orchestrator.analysis.score_table import read_table
from search_spaces.claims import find_file
from tests.support.score_tables import CLAIM, TABLE, judge_files, judge_published


def test_paired_table_is_a_t_test_over_cells_in_points() -> None:
    table = read_table(find_file("prismatic/published", ".csv", "scores"))
    verdict = next(one for one in judge_published("paired-table").verdicts if one.id == "lvis4v")
    row = table.scores
    cells = [row["llava-lvis4v+7b"][name] - row["one-stage+7b"][name] for name in table.benchmarks]
    expected = stats.ttest_1samp(cells, 0)
    assert len(cells) == 13
    assert (verdict.effect, verdict.p) == pytest.approx((np.mean(cells), expected.pvalue))
    assert verdict.interval == pytest.approx(tuple(expected.confidence_interval()))
    assert (verdict.unit, verdict.scope) == ("points", "checkpoints")
    assert "no examples, no seeds" in " ".join(verdict.reasons)


def test_single_cell_has_an_effect_but_no_test(tmp_path: Path) -> None:
    verdict = judge_files(tmp_path, TABLE, CLAIM.format("a", "b", "mine"))[0]
    assert (verdict.verdict, verdict.effect, verdict.interval, verdict.p) == ("undecided", 1.5, None, None)


def test_contrast_with_a_missing_cell_is_refused_naming_it(tmp_path: Path) -> None:
    verdict = judge_files(tmp_path, TABLE, CLAIM.format("a", "c", "all"))[0]
    assert (verdict.verdict, verdict.holds, verdict.effect) == ("undecided", None, None)
    assert "no score of c on mine" in verdict.reasons[0]


def test_table_never_shows_an_absence(tmp_path: Path) -> None:
    csv = "m,a,b,c,d\nx,1,2,3,4\ny,1.01,2,3,3.99\n"
    yaml = "hypotheses:\n  - {id: h, claim: c, pairs: [[x, y]], expect: equivalent, margin: 5}\n"
    verdict = judge_files(tmp_path, csv, yaml)[0]
    assert (verdict.verdict, verdict.holds) == ("undecided", None)
    assert verdict.p is not None
    assert verdict.p < 0.001
