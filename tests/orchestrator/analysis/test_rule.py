"""The rule gives the strongest verdict that an interval holds, corrected among all declared statements of its kind."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from scipy import stats

from orchestrator.analysis.intervals import Interval, t_interval
from orchestrator.analysis.rule import Evidence, Ruling, Unjudged, holm, rule
from search_spaces.study import Expectation


def _interval(value: float, half: float, df: float | None = 40) -> Interval:
    """With about this half-width."""
    return t_interval(value, half / 2, df)


def _judged(family: Sequence[Evidence | Unjudged]) -> Ruling:
    """Judge a family and return the ruling on its first member."""
    ruling = rule(family)[0]
    assert ruling is not None
    return ruling


def _ruled(value: float, half: float, expect: Expectation, margin: float | None = None) -> Ruling:
    return _judged([Evidence(expect, margin, _interval(value, half))])


@pytest.mark.parametrize(
    ("value", "half", "expect", "margin", "verdict", "holds"),
    [
        (3.0, 1.0, "better", None, "better", True),
        (3.0, 1.0, "worse", None, "better", False),
        (-3.0, 1.0, "worse", None, "worse", True),
        (0.2, 3.0, "better", None, "undecided", None),
        (0.1, 0.5, "equivalent", 1.0, "equivalent", True),
        (0.1, 0.5, "better", 1.0, "equivalent", False),
        (0.1, 0.5, "not-worse", 1.0, "equivalent", True),
        (0.9, 1.2, "not-worse", 1.0, "not-worse", True),
        (0.9, 1.2, "equivalent", 1.0, "not-worse", None),
        (2.0, 1.0, "not-worse", 1.0, "better", True),
        (-5.0, 1.0, "not-worse", 1.0, "worse", False),
        (-0.5, 0.3, "not-worse", 1.0, "worse", True),
        (-1.0, 0.5, "not-worse", 1.0, "worse", None),
        (0.5, 0.3, "equivalent", 1.0, "better", True),
        (1.1, 0.8, "equivalent", 1.0, "better", None),
        (5.0, 0.8, "equivalent", 1.0, "better", False),
    ],
)
def test_rule_says_the_strongest_that_holds_and_whether_the_claim_does(
    value: float, half: float, expect: Expectation, margin: float | None, verdict: str, holds: bool | None
) -> None:
    ruling = _ruled(value, half, expect, margin)
    assert (ruling.verdict, ruling.holds) == (verdict, holds)


def test_rule_takes_the_p_that_the_claim_names() -> None:
    interval = _interval(0.3, 0.5)
    two_sided, lower, upper = interval.p, interval.p_above(-1), interval.p_below(1)
    assert _ruled(0.3, 0.5, "worse").p == pytest.approx(two_sided)
    assert _ruled(0.3, 0.5, "equivalent", 1.0).p == pytest.approx(max(lower, upper))
    assert _ruled(0.3, 0.5, "not-worse", 1.0).p == pytest.approx(lower)


def test_equivalence_test_is_two_one_sided_t_tests() -> None:
    values = np.random.default_rng(0).normal(0.2, 1, 30)
    lower = stats.ttest_1samp(values, -1, alternative="greater").pvalue
    upper = stats.ttest_1samp(values, 1, alternative="less").pvalue
    interval = t_interval(float(values.mean()), float(values.std(ddof=1)) / math.sqrt(30), 29)
    assert (interval.p_above(-1), interval.p_below(1)) == pytest.approx((lower, upper))
    assert _judged([Evidence("equivalent", 1.0, interval)]).p == pytest.approx(max(lower, upper))


def test_holm_multiplies_the_smallest_p_by_their_number_and_never_decreases() -> None:
    """As in Holm (1979), A simple sequentially rejective multiple test procedure."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.6]) == [1.0, 1.0]
    assert holm([]) == []


def test_holm_is_that_of_statsmodels() -> None:
    """Against `multipletests(p, method="holm")` of statsmodels 0.14."""
    p = np.random.default_rng(2).uniform(0, 0.2, 9).tolist()
    expected = [0.3139345610991797, 0.3139345610991797, 0.36006031557939244, 0.14706550741615507, 0.36006031557939244,
                0.36006031557939244, 0.26306150271324485, 0.09926392919952275, 0.3139345610991797]  # fmt: skip
    assert holm(p) == pytest.approx(expected, rel=1e-12)


def test_rule_with_many_hypotheses_does_not_claim_what_would_only_stand_alone() -> None:
    weak = Evidence("better", None, _interval(2.2, 2.0))
    assert _judged([weak]).verdict == "better"
    ruling = _judged([weak, *[Evidence("better", None, _interval(0.1, 2.0))] * 9])
    assert (ruling.verdict, ruling.corrected) == ("undecided", "better")
    assert ruling.p_adjusted == pytest.approx(10 * ruling.p)


def test_rule_without_a_signal_never_shows_an_absence() -> None:
    silent = Evidence("equivalent", 1.0, _interval(0.0, 0.1), may_be_equivalent=False)
    assert _judged([silent]).verdict == "undecided"
    partly = Evidence("equivalent", 1.0, _interval(0.0, 0.1), equivalence=_interval(0.0, 3.0))
    assert _judged([partly]).verdict == "undecided"


def test_interval_without_any_variation_is_certain() -> None:
    assert t_interval(2.0, 0.0, None).p == 0
    assert t_interval(0.0, 0.0, None).p == 1
    assert _judged([Evidence("equivalent", 1.0, t_interval(0.0, 0.0, None))]).verdict == "equivalent"


def test_ten_true_equivalences_are_shown_and_no_difference_is_claimed_among_them() -> None:
    """One of ten arms lies 2.2 standard errors off: p .04 alone, which is nothing among ten differences."""
    family = [Evidence("equivalent", 15.0, t_interval(2.2 if i == 0 else 0.0, 1.0, 20)) for i in range(10)]
    rulings = rule(family)
    assert [ruling.verdict for ruling in rulings if ruling] == ["equivalent"] * 10
    assert all(ruling.holds for ruling in rulings if ruling)


def test_p_of_a_family_do_not_depend_on_what_is_expected_of_its_members() -> None:
    values = (2.2, 0.0, 0.3, 2.9)
    verdicts = {
        expect: [
            ruling.verdict for ruling in rule([Evidence(expect, 0.1, t_interval(v, 1.0, 20)) for v in values]) if ruling
        ]
        for expect in ("better", "equivalent", "not-worse")
    }
    assert verdicts["better"] == verdicts["equivalent"] == verdicts["not-worse"]


def test_claims_that_are_not_judged_yet_count_in_the_family() -> None:
    claim = Evidence("better", None, _interval(2.2, 2.0))
    early = _judged([claim, Unjudged(None), Unjudged(None)])
    assert (early.verdict, early.corrected) == ("undecided", "better")
    assert early.p_adjusted == pytest.approx(3 * early.p)


def test_claims_without_a_margin_do_not_weigh_on_those_of_equivalence() -> None:
    claim = Evidence("equivalent", 1.0, _interval(0.0, 1.0))
    alone = _judged([claim])
    among = _judged([claim, *[Evidence("better", None, _interval(0.0, 1.0))] * 9])
    assert among.p_adjusted == alone.p_adjusted


def test_claim_about_a_choice_stays_open_where_only_checkpoints_were_compared() -> None:
    ruling = _judged([Evidence("better", None, _interval(3.0, 1.0), tests_choice=False)])
    assert (ruling.verdict, ruling.holds) == ("better", None)


def test_p_that_is_printed_is_the_one_that_decided() -> None:
    ruling = _judged([Evidence("better", None, _interval(3.0, 1.0), p_exact=0.2), Unjudged(None)])
    assert (ruling.verdict, ruling.p, ruling.p_adjusted, ruling.vetoed) == ("undecided", 0.2, 0.4, "better")
