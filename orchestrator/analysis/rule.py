"""The rule that reaches verdicts: three tests, Holm's correction over the family, a second interval that must agree.

It knows nothing of where effects come from: the methods (`methods`) hand it intervals.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, assert_never

import numpy as np

from orchestrator.analysis.intervals import Interval
from orchestrator.analysis.verdict_model import Outcome
from search_spaces.study import Expectation

Statement = Literal["differs", "equivalent", "not-worse"]

ALPHA = 0.05


def statement_of(expect: Expectation) -> Statement:
    """Name the test that decides an expectation."""
    match expect:
        case "better" | "worse":
            return "differs"
        case "equivalent" | "not-worse":
            return expect
        case _:
            assert_never(expect)


@dataclass(frozen=True)
class Evidence:
    """What the rule needs to know of one hypothesis."""

    expect: Expectation
    margin: float | None
    interval: Interval
    check: Interval | None
    """A second interval, with which a statement must hold as well."""
    may_be_equivalent: bool = True
    """False for single checkpoints, and where no benchmark shows a signal."""
    equivalence: tuple[Interval, Interval | None] | None = None
    """Interval and check of the benchmarks that show a signal, where not all do: equivalence must hold on them, too."""
    two_sided: bool = False
    """`p` is two-sided whatever is expected."""
    p_exact: float | None = None
    """Of the effect being 0, by a test without a normal distribution: a difference must hold with it as well."""

    def p_of(self, statement: Statement, *, checked: bool = False) -> float:
        """Compute p of one of the three tests; 1 where there is no margin to test at.

        Args:
            checked: the larger of this and that of the check.
        """
        intervals = [(self.interval, self.check)]
        if statement != "differs":
            if self.margin is None:
                return 1.0
            intervals += [self.equivalence] if self.equivalence is not None else []
        chosen = [
            interval for pair in intervals for interval in (pair if checked else pair[:1]) if interval is not None
        ]
        p = max(self._p(statement, interval) for interval in chosen)
        return max(p, self.p_exact) if checked and statement == "differs" and self.p_exact is not None else p

    def _p(self, statement: Statement, interval: Interval) -> float:
        if statement == "differs":
            same_side = (interval.value > 0) == (self.interval.value > 0)
            return interval.p if same_side else 1.0
        assert self.margin is not None
        above = interval.p_above(-self.margin)
        match statement:
            case "not-worse":
                return above
            case "equivalent":
                return max(above, interval.p_below(self.margin))
            case _:
                assert_never(statement)

    @property
    def p(self) -> float:
        """p of the test that `expect` names."""
        return self.p_of("differs" if self.two_sided else statement_of(self.expect))


@dataclass(frozen=True)
class Ruling:
    """Outcome of the rule for one hypothesis."""

    verdict: Outcome
    holds: bool | None
    p: float
    p_adjusted: float
    vetoed: Outcome | None
    """What the interval alone would say, where the check forbids it."""
    corrected: Outcome | None
    """What p without the correction for several hypotheses would say, where the correction forbids it."""


def rule(evidence: Sequence[Evidence], alpha: float = ALPHA, *, corrected: bool = True) -> tuple[Ruling, ...]:
    """Judge the hypotheses of one family together.

    A statement holds if its test does at `alpha` after Holm's correction, and without it with the check as well. The
    verdict is the strongest that holds of better or worse, equivalent, not-worse.

    Args:
        evidence: one for each hypothesis.
        alpha: level of the tests, 0 to 1.
        corrected: False: p is compared with alpha as it is; the adjusted p is only reported.
    """
    declared = [claim.p for claim in evidence]
    adjusted = holm(declared)
    return tuple(_ruling(claim, i, declared, adjusted[i], alpha, corrected) for i, claim in enumerate(evidence))


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust p values of one family by Holm's step-down procedure (Holm 1979)."""
    order = np.argsort(p_values, kind="stable")
    factors = np.arange(len(p_values), 0, -1)
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(np.maximum.accumulate(np.asarray(p_values)[order] * factors), 1.0)
    return [float(p) for p in adjusted]


def _ruling(
    claim: Evidence, position: int, declared: Sequence[float], p_adjusted: float, alpha: float, corrected: bool
) -> Ruling:
    """Statements other than the declared one take its place in the family when they are corrected."""

    def held(statement: Statement, with_holm: bool, with_check: bool) -> bool:
        if statement != "differs" and not claim.may_be_equivalent:
            return False
        p = claim.p_of(statement)
        if with_holm:
            p = holm([p if i == position else p_of_other for i, p_of_other in enumerate(declared)])[position]
        return p <= alpha and (not with_check or claim.p_of(statement, checked=True) <= alpha)

    def strongest(with_holm: bool, with_check: bool) -> Outcome:
        if held("differs", with_holm, with_check):
            return "better" if claim.interval.value > 0 else "worse"
        if held("equivalent", with_holm, with_check):
            return "equivalent"
        return "not-worse" if held("not-worse", with_holm, with_check) else "undecided"

    verdict = strongest(corrected, True)
    alone, uncorrected = strongest(corrected, False), strongest(False, True)
    return Ruling(
        verdict,
        _holds(claim, verdict, held("equivalent", corrected, True), held("not-worse", corrected, True), alpha),
        claim.p,
        p_adjusted,
        vetoed=alone if alone != verdict else None,
        corrected=uncorrected if uncorrected != verdict else None,
    )


def _holds(claim: Evidence, verdict: Outcome, equivalent: bool, not_worse: bool, alpha: float) -> bool | None:
    """Compare a verdict with its claim.

    A claim of a difference is false if the opposite was found, or a difference smaller than the margin; a claim of none
    is false only if the difference lies beyond the margin: a small clear one contradicts nobody.
    """
    if claim.expect == "better" or claim.expect == "worse":
        if verdict == claim.expect:
            return True
        return False if verdict in ("better", "worse", "equivalent") else None
    assert claim.margin is not None
    beyond = [claim.interval.p_below(-claim.margin)]
    match claim.expect:
        case "equivalent":
            is_shown = equivalent
            beyond.append(claim.interval.p_above(claim.margin))
        case "not-worse":
            is_shown = not_worse or verdict == "better"
        case _:
            assert_never(claim.expect)
    if is_shown:
        return True
    is_beyond = verdict in ("better", "worse") and min(beyond) <= alpha / 2
    return False if is_beyond else None
