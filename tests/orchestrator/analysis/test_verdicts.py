"""What the rule says of intervals: the strongest that holds, with the check, after the correction."""

from __future__ import annotations

import math

import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

from orchestrator.analysis.intervals import Interval, t_interval
from orchestrator.analysis.verdicts import Evidence, Expectation, Ruling, holm, rule


def _interval(value: float, half: float, df: float | None = 40) -> Interval:
    """With about this half-width."""
    return t_interval(value, half / 2, df)


def _ruled(
    value: float, half: float, expect: Expectation, margin: float | None = None, *, check: Interval | None = None
) -> Ruling:
    return rule([Evidence(expect, margin, _interval(value, half), check)])[0]


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


def test_equivalence_test_is_that_of_statsmodels() -> None:
    from statsmodels.stats.weightstats import DescrStatsW

    values = np.random.default_rng(0).normal(0.2, 1, 30)
    p, (_, lower, _), (_, upper, _) = DescrStatsW(values).ttost_mean(-1, 1)
    interval = t_interval(float(values.mean()), float(values.std(ddof=1)) / math.sqrt(30), 29)
    assert (interval.p_above(-1), interval.p_below(1)) == pytest.approx((lower, upper))
    assert rule([Evidence("equivalent", 1.0, interval, None)])[0].p == pytest.approx(p)


@pytest.mark.parametrize("seed", range(5))
def test_holm_is_that_of_statsmodels(seed: int) -> None:
    p = np.random.default_rng(seed).uniform(0, 0.2, 9).tolist()
    assert holm(p) == pytest.approx(multipletests(p, method="holm")[1])
    assert holm([]) == []


def test_rule_is_undecided_where_the_other_spread_of_the_seeds_does_not_agree() -> None:
    ruling = _ruled(3.0, 1.0, "better", check=_interval(3.0, 4.0))
    assert (ruling.verdict, ruling.holds, ruling.vetoed) == ("undecided", None, "better")


def test_rule_keeps_the_weaker_statement_on_which_both_spreads_agree() -> None:
    ruling = _ruled(0.6, 0.5, "equivalent", 2.0, check=_interval(0.6, 1.2))
    assert (ruling.verdict, ruling.holds, ruling.vetoed) == ("equivalent", True, "better")


def test_rule_with_many_hypotheses_does_not_claim_what_would_only_stand_alone() -> None:
    weak = Evidence("better", None, _interval(2.2, 2.0), None)
    assert rule([weak])[0].verdict == "better"
    ruling = rule([weak, *[Evidence("better", None, _interval(0.1, 2.0), None)] * 9])[0]
    assert (ruling.verdict, ruling.corrected) == ("undecided", "better")
    assert ruling.p_adjusted == pytest.approx(10 * ruling.p)


def test_rule_without_a_signal_never_shows_an_absence() -> None:
    silent = Evidence("equivalent", 1.0, _interval(0.0, 0.1), None, may_be_equivalent=False)
    assert rule([silent])[0].verdict == "undecided"
    partly = Evidence("equivalent", 1.0, _interval(0.0, 0.1), None, equivalence=(_interval(0.0, 3.0), None))
    assert rule([partly])[0].verdict == "undecided"


def test_interval_without_any_variation_is_certain() -> None:
    assert t_interval(2.0, 0.0, None).p == 0
    assert t_interval(0.0, 0.0, None).p == 1
    assert rule([Evidence("equivalent", 1.0, t_interval(0.0, 0.0, None), None)])[0].verdict == "equivalent"
