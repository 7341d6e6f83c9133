"""The rule that reaches verdicts: three tests, each kind corrected by Holm among its kind over all declared hypotheses.

It knows nothing of where effects come from: the methods (`methods`) hand it intervals.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, assert_never, get_args

import numpy as np

from orchestrator.analysis.intervals import Interval
from orchestrator.analysis.look_history import Correction
from orchestrator.analysis.verdict_model import Outcome
from search_spaces.study import Expectation

Statement = Literal["differs", "equivalent", "not-worse"]
STATEMENTS: tuple[Statement, ...] = get_args(Statement)

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
    may_be_equivalent: bool = True
    """False for single checkpoints, and where no benchmark shows a signal."""
    equivalence: Interval | None = None
    """Of the benchmarks that show a signal, where not all do: equivalence must hold on them, too."""
    two_sided: bool = False
    """`p` is two-sided whatever is expected."""
    p_exact: float | None = None
    """Of the effect being 0, by a test without a normal distribution: a difference must hold with it as well."""
    tests_choice: bool = True
    """False where only single checkpoints, or rows of a table, were compared: a claim about a choice stays open."""
    looks: Correction | None = None
    """For the looks at the results before this one; None where none are counted."""

    def p_of(self, statement: Statement, *, exact: bool = True) -> float:
        """Compute p of one of the three tests after all looks; 1 where it cannot show what it is for.

        Args:
            statement: that is tested.
            exact: whether a difference must also hold in the exact test, where there is one.
        """
        p = self.p_of_look(statement, exact=exact)
        return p if self.looks is None else self.looks.p(statement, p, is_positive=self.interval.value > 0)

    def p_of_look(self, statement: Statement, *, exact: bool = True) -> float:
        """Compute p of one of the three tests as if this were the only look at the results.

        Args:
            statement: that is tested.
            exact: whether a difference must also hold in the exact test, where there is one.
        """
        if statement == "differs":
            return max(self.interval.p, self.p_exact) if exact and self.p_exact is not None else self.interval.p
        if self.margin is None or not self.may_be_equivalent:
            return 1.0  # a statement that cannot be shown
        intervals = [self.interval] if self.equivalence is None else [self.interval, self.equivalence]
        return max(_p_at_margin(statement, interval, self.margin) for interval in intervals)

    @property
    def declared(self) -> Statement:
        """The test that `expect` names."""
        return "differs" if self.two_sided else statement_of(self.expect)

    @property
    def can_show_declared(self) -> bool:
        """Whether the declared test has a p at all: single checkpoints never show an absence."""
        return self.declared == "differs" or self.may_be_equivalent


@lru_cache(maxsize=1024)  # each is asked for in the family, with and without the exact test, and by the ruling
def _p_at_margin(statement: Literal["equivalent", "not-worse"], interval: Interval, margin: float) -> float:
    above = interval.p_above(-margin)
    match statement:
        case "not-worse":
            return above
        case "equivalent":
            return max(above, interval.p_below(margin))
        case _:
            assert_never(statement)


@dataclass(frozen=True)
class Unjudged:
    """A declared hypothesis whose arms could not be compared, or not yet: it is counted in its family all the same."""

    margin: float | None

    def p_of(self, statement: Statement, *, exact: bool = True) -> float:
        """Return 1: nothing is shown."""
        return 1.0


@dataclass(frozen=True)
class Ruling:
    """Outcome of the rule for one hypothesis."""

    verdict: Outcome
    holds: bool | None
    p: float | None
    """Of the test that is declared, the one that decided; None where nothing here could show what is declared."""
    p_adjusted: float | None
    """The same after Holm's correction among all statements of its kind."""
    vetoed: Outcome | None
    """What the interval alone would say, where the exact test forbids it."""
    corrected: Outcome | None
    """What p without the correction for several hypotheses would say, where the correction forbids it."""


def rule(
    family: Sequence[Evidence | Unjudged], alpha: float = ALPHA, *, corrected: bool = True
) -> tuple[Ruling | None, ...]:
    """Judge the hypotheses of one family together.

    A statement holds if its test does at `alpha` after Holm's correction among the statements of its kind: differences
    among the differences of all hypotheses, absences among those of all hypotheses with a margin. The verdict is the
    strongest that holds of better or worse, equivalent, not-worse.

    Args:
        family: all hypotheses that are declared.
        alpha: level of the tests, 0 to 1.
        corrected: False: p is compared with alpha as it is; the adjusted p is only reported.

    Returns:
        One for each hypothesis, in the same order; None for those that are not judged.
    """
    adjusted = {statement: _adjusted(family, statement, exact=True) for statement in STATEMENTS}
    unvetoed = {statement: _adjusted(family, statement, exact=False) for statement in STATEMENTS}
    return tuple(
        _ruling(
            claim,
            {statement: adjusted[statement][i] for statement in STATEMENTS},
            {statement: unvetoed[statement][i] for statement in STATEMENTS},
            alpha,
            corrected,
        )
        if isinstance(claim, Evidence)
        else None
        for i, claim in enumerate(family)
    )


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust p values of one family by Holm's step-down procedure (Holm 1979)."""
    order = np.argsort(p_values, kind="stable")
    factors = np.arange(len(p_values), 0, -1)
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(np.maximum.accumulate(np.asarray(p_values)[order] * factors), 1.0)
    return [float(p) for p in adjusted]


def _adjusted(family: Sequence[Evidence | Unjudged], statement: Statement, *, exact: bool) -> list[float]:
    """Adjust p of one kind of statement over the family; hypotheses without a margin state no absence."""
    members = [i for i, claim in enumerate(family) if statement == "differs" or claim.margin is not None]
    adjusted = [1.0] * len(family)
    for i, p in zip(members, holm([family[i].p_of(statement, exact=exact) for i in members]), strict=True):
        adjusted[i] = p
    return adjusted


Adjusted = dict[Statement, float]


def _ruling(claim: Evidence, adjusted: Adjusted, unvetoed: Adjusted, alpha: float, corrected: bool) -> Ruling:
    raw: Adjusted = {statement: claim.p_of(statement) for statement in STATEMENTS}
    deciding = adjusted if corrected else raw
    without_exact: Adjusted = unvetoed if corrected else {s: claim.p_of(s, exact=False) for s in STATEMENTS}
    verdict = _strongest(claim, deciding, alpha)
    alone, uncorrected = _strongest(claim, without_exact, alpha), _strongest(claim, raw, alpha)
    return Ruling(
        verdict,
        _holds(claim, verdict, deciding, alpha) if claim.tests_choice else None,
        raw[claim.declared] if claim.can_show_declared else None,
        adjusted[claim.declared] if claim.can_show_declared else None,
        vetoed=alone if alone != verdict else None,
        corrected=uncorrected if uncorrected != verdict else None,
    )


def _strongest(claim: Evidence, p: Adjusted, alpha: float) -> Outcome:
    if p["differs"] <= alpha:
        return "better" if claim.interval.value > 0 else "worse"
    if p["equivalent"] <= alpha:
        return "equivalent"
    return "not-worse" if p["not-worse"] <= alpha else "undecided"


def _holds(claim: Evidence, verdict: Outcome, p: Adjusted, alpha: float) -> bool | None:
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
            is_shown = p["equivalent"] <= alpha
            beyond.append(claim.interval.p_above(claim.margin))
        case "not-worse":
            is_shown = p["not-worse"] <= alpha or verdict == "better"
        case _:
            assert_never(claim.expect)
    if is_shown:
        return True
    p_beyond = min(beyond) if claim.looks is None else claim.looks.p("beyond", min(beyond), is_positive=True)
    is_beyond = verdict in ("better", "worse") and p_beyond <= alpha / 2
    return False if is_beyond else None
