"""The method `paired-table` is a t test over the skills of a table, in points, which sign flips must confirm."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from orchestrator.analysis.methods.contract import Question
from orchestrator.analysis.methods.registry import TABLE_METHODS
from orchestrator.analysis.score_table import ScoreTable, read_table
from search_spaces.claims import find_file
from search_spaces.errors import InputError
from search_spaces.study import Hypothesis
from tests.support.score_tables import CLAIM, TABLE, judge_files, judge_published

BASE_IN_THREE = "hypotheses:\n  - {id: h, claim: c, pairs: [[m0, m1], [m0, m2], [m0, m3]], expect: better}\n"
_NAMES = tuple(f"b{i}" for i in range(12))


def csv_of(scores: np.ndarray) -> str:
    """Write a table of models m0, m1 ... with one decimal."""
    header = ",".join(["model", *_NAMES[: scores.shape[1]]])
    rows = [",".join([f"m{i}", *(f"{score:.1f}" for score in row)]) for i, row in enumerate(scores)]
    return "\n".join([header, *rows]) + "\n"


def test_pairs_are_averaged_before_the_t_test_over_benchmarks(tmp_path: Path) -> None:
    scores = 60 + np.random.default_rng(3).normal(0, 2, (4, 12)).round(1)
    verdict = judge_files(tmp_path, csv_of(scores), BASE_IN_THREE)[0]
    expected = stats.ttest_1samp((scores[1:] - scores[0]).mean(axis=0), 0)
    assert verdict.effect == pytest.approx((scores[1:] - scores[0]).mean())
    assert verdict.interval == pytest.approx(tuple(expected.confidence_interval()))
    assert verdict.p == pytest.approx(expected.pvalue, rel=0.2)
    assert (verdict.n_pairs, verdict.n_cells, verdict.scope) == (3, 36, "checkpoints")
    assert "a t test over 12 benchmarks" in verdict.reasons[-1]


def test_sets_of_one_skill_count_once_and_the_other_count_stands_beside() -> None:
    table = read_table(find_file("prismatic/published", ".csv", "scores"))
    verdict = next(one for one in judge_published("paired-table").verdicts if one.id == "lvis4v")
    cells = {
        name: table.scores["llava-lvis4v+7b"][name] - table.scores["one-stage+7b"][name] for name in table.benchmarks
    }
    regions, texts = ("refcoco", "refcoco+", "refcocog"), ("textvqa", "textvqa-ocr")
    draws = [np.mean([cells.pop(name) for name in skill]) for skill in (regions, texts)] + [*cells.values()]
    expected = stats.ttest_1samp(draws, 0)
    assert len(draws) == 10
    assert verdict.effect == pytest.approx(np.mean(draws))
    assert verdict.interval == pytest.approx(tuple(expected.confidence_interval()))
    apart = verdict.sensitivity[0]
    assert (apart.name, apart.n) == ("every benchmark counted on its own", 13)


def test_base_in_several_pairs_is_no_more_often_called_different() -> None:
    """As several independent cells it was in 27 % of tables of equal models."""
    random, alarms, n_tables = np.random.default_rng(0), 0, 300
    pairs = tuple(("m0", f"m{i}") for i in range(1, 6))
    question = Question(Hypothesis(id="h", claim="c", pairs=pairs, expect="better"), _NAMES)
    for _ in range(n_tables):
        scores = 60 + random.normal(size=(6, len(_NAMES)))
        rows = {f"m{i}": dict(zip(_NAMES, row.tolist(), strict=True)) for i, row in enumerate(scores)}
        verdict = TABLE_METHODS["paired-table"].judge(ScoreTable("t", _NAMES, rows), [question]).verdicts[0]
        alarms += verdict.verdict in ("better", "worse")
    assert 0.02 <= alarms / n_tables <= 0.08


@pytest.mark.parametrize(("n", "outcome"), [(5, "undecided"), (6, "better")])
def test_fewer_benchmarks_than_signs_can_tell_show_nothing(tmp_path: Path, n: int, outcome: str) -> None:
    scores = np.full((2, n), 50.0) + np.arange(n)
    scores[1] += 10 + np.arange(n) % 2
    verdict = judge_files(tmp_path, csv_of(scores), CLAIM.format("m0", "m1", "all"))[0]
    assert verdict.verdict == outcome
    assert verdict.p_exact == pytest.approx(2 / 2**n)
    said = "5 benchmarks all of one sign happen by chance with p .0625: nothing can be shown at 0.05 with fewer than 6"
    assert (verdict.reasons[0] == said) == (outcome == "undecided")


def test_among_several_claims_more_benchmarks_are_needed_and_the_verdict_says_so(tmp_path: Path) -> None:
    scores = np.full((2, 7), 50.0) + np.arange(7)
    scores[1] += 10 + np.arange(7) % 2
    one = CLAIM.format("m0", "m1", "all")
    several = one + "".join(line.replace("id: h", f"id: h{i}") for i in range(4) for line in one.splitlines(True)[1:])
    assert judge_files(tmp_path, csv_of(scores), one)[0].verdict == "better"
    verdict = judge_files(tmp_path, csv_of(scores), several)[0]
    assert (verdict.verdict, verdict.p, verdict.p_adjusted) == ("undecided", 2 / 2**7, 5 * 2 / 2**7)
    assert verdict.reasons[1] == (
        "7 benchmarks all of one sign happen by chance with p .0156: too likely for the clearest of 5 claims"
    )


def test_equal_differences_are_as_sure_as_their_digits(tmp_path: Path) -> None:
    scores = np.full((2, 8), 50.0) + np.arange(8)
    scores[1] += 1.0
    verdict = judge_files(tmp_path, csv_of(scores), CLAIM.format("m0", "m1", "all"))[0]
    half = stats.t.ppf(0.975, 7) * 0.1 / np.sqrt(6) / np.sqrt(8)
    assert verdict.interval == pytest.approx((1 - half, 1 + half))
    assert verdict.verdict == "better"
    assert "interval +0.97 to +1.03" in verdict.sentence
    assert verdict.p is not None
    assert verdict.p > 0


@pytest.mark.parametrize("pair", ["[m0, m1]", "[m1, m0]"])
def test_pair_that_stands_twice_is_refused_where_it_stands(tmp_path: Path, pair: str) -> None:
    yaml = f"hypotheses:\n  - id: h\n    claim: c\n    pairs:\n      - [m0, m1]\n      - {pair}\n    expect: better\n"
    with pytest.raises(InputError, match=re.escape("c.yaml:6: hypotheses[0].pairs[1]: the contrasts of a claim must")):
        judge_files(tmp_path, csv_of(np.full((2, 6), 50.0)), yaml)


def test_looks_at_a_table_are_refused_as_it_has_no_seeds(tmp_path: Path) -> None:
    yaml = "hypotheses:\n  - {id: h, claim: c, pairs: [[m0, m1]], expect: better, looks: [3, 5]}\n"
    with pytest.raises(InputError, match=re.escape("hypotheses[0].looks: must not be declared for a table of scores")):
        judge_files(tmp_path, csv_of(np.full((2, 6), 50.0)), yaml)


def test_single_skill_has_an_effect_but_no_test(tmp_path: Path) -> None:
    verdict = judge_files(tmp_path, TABLE, CLAIM.format("a", "b", "mine"))[0]
    assert (verdict.verdict, verdict.effect, verdict.interval, verdict.p) == ("undecided", 1.5, None, None)


def test_contrast_with_a_missing_cell_is_refused_naming_it(tmp_path: Path) -> None:
    verdict = judge_files(tmp_path, TABLE, CLAIM.format("a", "c", "all"))[0]
    assert (verdict.verdict, verdict.holds, verdict.effect) == ("undecided", None, None)
    assert "no score of c on mine" in verdict.reasons[0]


@pytest.mark.parametrize("expect", ["equivalent", "not-worse"])
def test_what_the_method_never_shows_has_no_p(tmp_path: Path, expect: str) -> None:
    csv = "m,a,b,c,d,e,f\nx,11,22,33,44,55,66\ny,11.01,22,33,43.99,55,66\n"
    yaml = f"hypotheses:\n  - {{id: h, claim: c, pairs: [[x, y]], expect: {expect}, margin: 5}}\n"
    verdict = judge_files(tmp_path, csv, yaml)[0]
    assert (verdict.verdict, verdict.holds, verdict.p, verdict.p_adjusted) == ("undecided", None, None, None)
    assert re.match("this method never shows .*: it has no examples and no seeds", verdict.reasons[0])
