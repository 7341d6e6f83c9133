"""What results say of a hypothesis: the verdict as plain data, and the rule that reaches it.

Judging knows nothing of where effects come from: a study (`hypotheses`) or a table of scores alone (`tables`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from orchestrator.analysis.aggregates import Aggregates
from orchestrator.analysis.intervals import Interval

Outcome = Literal["better", "worse", "equivalent", "not-worse", "undecided"]
Expectation = Literal["better", "worse", "equivalent", "not-worse"]
Scope = Literal["recipe", "checkpoints"]
Method = Literal["study", "paired-table", "prismatic-2024"]
Unit = Literal["points", "percent"]
Statement = Literal["differs", "equivalent", "not-worse"]

ALPHA = 0.05


@dataclass(frozen=True)
class Component:
    """The effect in one part of a hypothesis: on one benchmark, or of one pair. For plots and tables; not judged."""

    name: str
    """Benchmark id, or `reference -> alternative`."""
    effect: float
    interval: tuple[float, float] | None
    """Unadjusted, at the verdict's level; None where one value has no spread of its own (a cell of a table)."""
    no_signal: tuple[str, ...] = ()
    """Arms of the hypothesis without a signal there."""


@dataclass(frozen=True)
class Price:
    """What would decide with 80 % power if the effect were as it was seen, and what that costs."""

    more_seeds: int | None
    """Per arm of the hypothesis, on top of those that are there; None: no number of seeds up to 100 would."""
    seeds_gpu_hours: float | None
    """Of these seeds, after what the arms' trials have cost so far; None where no cost is recorded."""
    more_examples: int | None
    """On the benchmarks together, of the same kind; None: no number of examples up to 100 times as many would."""
    examples_gpu_hours: float | None
    """Of scoring the arms' trials on them."""
    assumed_seed_sd: float | None = None
    """In points, where the spread over seeds could not be seen."""


@dataclass(frozen=True)
class Sensitivity:
    """The same test on other benchmarks: how much of a verdict hangs on which are counted."""

    name: str
    """`refcoco counted once`, `without vsr`."""
    verdict: Outcome
    effect: float
    p: float
    n: int
    """Differences that enter the test."""


@dataclass(frozen=True)
class PublishedComparison:
    """Own result beside the published one, over the same pairs and benchmarks."""

    difference: float | None
    """Published, in the verdict's unit; None where it was not."""
    own: float | None
    agrees_in_sign: bool | None
    """None where either is 0 or the own effect is missing."""
    in_interval: bool | None
    """Whether the own interval holds the published difference."""
    agrees: bool | None
    """Both."""
    reason: str | None = None
    """Why there is nothing to compare, where there is not."""


@dataclass(frozen=True)
class Verdict:
    """What the results say of one hypothesis. `effect` None: the contrast was refused, `reasons` say why."""

    id: str
    claim: str
    expect: Expectation
    verdict: Outcome
    holds: bool | None
    """Whether the claim's own test holds; False where the results contradict it; None where they leave it open."""
    scope: Scope
    """`recipe`: the choice was tested. `checkpoints`: only these trained weights were."""
    method: Method
    pairs: tuple[tuple[str, str], ...]
    """Reference and alternative."""
    benchmarks: tuple[str, ...]
    effect: float | None
    """Alternative - reference, mean over pairs and then over benchmarks."""
    unit: Unit
    interval: tuple[float, float] | None
    level: float
    margin: float | None
    p: float | None
    """Of the test that `expect` names: two-sided for better and worse, the larger of two one-sided for equivalent,
    one-sided for not-worse."""
    p_adjusted: float | None
    """Holm over the hypotheses that were judged together."""
    n_seeds: int
    """Common seeds; 0 where seeds are not known (tables)."""
    n_examples: int
    """0 where examples are not known (tables)."""
    n_pairs: int
    n_cells: int
    """Differences of a benchmark and a pair that were averaged."""
    reasons: tuple[str, ...]
    """Plain words, most important first."""
    sentence: str
    """One plain sentence: what was found, how large, how surely."""
    seeds_from: str = "none"
    """Where the spread over seeds comes from: pooled, own, assumed, none."""
    beside: tuple[float, float] | None = None
    """The interval with the other of own and pooled."""
    p_exact: float | None = None
    """Of single checkpoints: exact McNemar, or sign flips of whole images; a difference must hold with it as well."""
    image_error: float | None = None
    """Standard error in points by the choice of images alone, as the interval has it."""
    image_error_bootstrap: float | None = None
    """The same from 2,000 draws of images with replacement, for a check; it holds what seeds add to images as well."""
    by_benchmark: tuple[Component, ...] = ()
    by_pair: tuple[Component, ...] = ()
    price: Price | None = None
    """Only where undecided."""
    sensitivity: tuple[Sensitivity, ...] = ()
    published: PublishedComparison | None = None


@dataclass(frozen=True)
class Verdicts:
    """All verdicts that were reached together, and how."""

    source: str
    """Name of the study, or of the table."""
    method: Method
    level: float
    verdicts: tuple[Verdict, ...]
    notes: tuple[str, ...] = ()
    """What holds for all of them: the correction, what an interval covers, what the method cannot say."""
    aggregates: Aggregates | None = None
    """Group means, z-scores against a frozen pool, and a study's main effects."""


def statement_of(expect: Expectation) -> Statement:
    """What is tested where this is expected."""
    return "differs" if expect == "better" or expect == "worse" else expect


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
        """p of one of the three tests; 1 where there is no margin to test at.

        Args:
            checked: the larger of this and that of the check.
        """
        intervals = [(self.interval, self.check)]
        if statement != "differs":
            if self.margin is None:
                return 1.0
            intervals += [self.equivalence] if self.equivalence is not None else []
        chosen = [one for pair in intervals for one in (pair if checked else pair[:1]) if one is not None]
        p = max(self._p(statement, interval) for interval in chosen)
        return max(p, self.p_exact) if checked and statement == "differs" and self.p_exact is not None else p

    def _p(self, statement: Statement, interval: Interval) -> float:
        if statement == "differs":
            same_side = (interval.value > 0) == (self.interval.value > 0)
            return interval.p if same_side else 1.0
        assert self.margin is not None
        above = interval.p_above(-self.margin)
        return above if statement == "not-worse" else max(above, interval.p_below(self.margin))

    @property
    def p(self) -> float:
        """Of the test that `expect` names."""
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
        corrected: False: p is compared with alpha as it is; the adjusted p is only reported.
    """
    declared = [one.p for one in evidence]
    adjusted = holm(declared)
    return tuple(_ruling(one, i, declared, adjusted[i], alpha, corrected) for i, one in enumerate(evidence))


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust p values of one family by Holm's step-down procedure (Holm 1979)."""
    order = np.argsort(p_values, kind="stable")
    factors = np.arange(len(p_values), 0, -1)
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(np.maximum.accumulate(np.asarray(p_values)[order] * factors), 1.0)
    return [float(p) for p in adjusted]


def _ruling(
    one: Evidence, position: int, declared: Sequence[float], p_adjusted: float, alpha: float, corrected: bool
) -> Ruling:
    """Statements other than the declared one take its place in the family when they are corrected."""

    def held(statement: Statement, with_holm: bool, with_check: bool) -> bool:
        if statement != "differs" and not one.may_be_equivalent:
            return False
        p = one.p_of(statement)
        if with_holm:
            p = holm([p if i == position else other for i, other in enumerate(declared)])[position]
        return p <= alpha and (not with_check or one.p_of(statement, checked=True) <= alpha)

    def strongest(with_holm: bool, with_check: bool) -> Outcome:
        if held("differs", with_holm, with_check):
            return "better" if one.interval.value > 0 else "worse"
        if held("equivalent", with_holm, with_check):
            return "equivalent"
        return "not-worse" if held("not-worse", with_holm, with_check) else "undecided"

    verdict = strongest(corrected, True)
    alone, uncorrected = strongest(corrected, False), strongest(False, True)
    return Ruling(
        verdict,
        _holds(one, verdict, held("equivalent", corrected, True), held("not-worse", corrected, True), alpha),
        one.p,
        p_adjusted,
        vetoed=alone if alone != verdict else None,
        corrected=uncorrected if uncorrected != verdict else None,
    )


def _holds(one: Evidence, verdict: Outcome, equivalent: bool, not_worse: bool, alpha: float) -> bool | None:
    """A claim of a difference is false if the opposite was found, or a difference smaller than the margin; a claim of
    none is false only if the difference lies beyond the margin: a small clear one contradicts nobody."""
    if one.expect in ("better", "worse"):
        if verdict == one.expect:
            return True
        return False if verdict in ("better", "worse", "equivalent") else None
    assert one.margin is not None
    if equivalent if one.expect == "equivalent" else not_worse or verdict == "better":
        return True
    beyond = [one.interval.p_below(-one.margin)]
    if one.expect == "equivalent":
        beyond.append(one.interval.p_above(one.margin))
    is_beyond = verdict in ("better", "worse") and min(beyond) <= alpha / 2
    return False if is_beyond else None


def verdicts_json(found: Verdicts) -> dict[str, Any]:
    """As plain values (`plain_values`)."""
    return {
        "source": found.source,
        "method": found.method,
        "level": found.level,
        "verdicts": [plain_values(asdict(verdict)) for verdict in found.verdicts],
        "notes": list(found.notes),
        "aggregates": plain_values(asdict(found.aggregates)) if found.aggregates is not None else None,
    }


def plain_values(value: Any) -> Any:
    """As JSON holds them; floats rounded to 9 significant digits, so that equal results give equal bytes."""
    if isinstance(value, float):
        return float(f"{value:.9g}")
    if isinstance(value, dict):
        return {str(key): plain_values(item) for key, item in value.items()}
    return [plain_values(item) for item in value] if isinstance(value, list | tuple) else value
