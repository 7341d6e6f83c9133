"""A one-sample t test over the differences of a table of scores: what methods over tables share.

They differ in what they take for an independent draw (`Draws`), in the unit, and in the level. None of them knows of
examples and seeds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from orchestrator.analysis.exact import sign_flip_p
from orchestrator.analysis.intervals import Floats, Interval, t_interval
from orchestrator.analysis.methods.contract import Judged, Question, TableMethod
from orchestrator.analysis.number_text import p_text
from orchestrator.analysis.rule import Evidence, Ruling, Unjudged, rule, statement_of
from orchestrator.analysis.score_table import ScoreTable
from orchestrator.analysis.verdict_model import Component, Refusal, Sensitivity, Unit, Verdict
from orchestrator.analysis.verdict_sentences import refusal_sentence, result_sentence, ruling_reasons
from search_spaces.quantities import number_of
from search_spaces.study import Expectation, Hypothesis

NEVER_EQUIVALENT = (
    "A table compares checkpoints: it never shows that two choices are equivalent, or that one is not worse."
)
_NEVER: dict[Expectation, str] = {
    "equivalent": "this method never shows equivalence: it has no examples and no seeds",
    "not-worse": "this method never shows that a model is not worse: it has no examples and no seeds",
}
Pairs = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Draws:
    """Differences of a contrast, and what a test takes for its independent draws."""

    by_benchmark: Mapping[str, float]
    """Benchmark -> mean over the pairs, in the method's unit."""
    n_cells: int
    """Differences of a benchmark and a pair."""
    values: Floats
    """The draws."""
    floor: float
    """Standard deviation that rounding alone gives a draw; the one that is seen counts for no less."""
    basis: str
    """What the draws are, in words: `26 cells`, `11 benchmarks`."""

    @property
    def effect(self) -> float:
        return float(self.values.mean())


@dataclass(frozen=True)
class TableTTest:
    """What a draw is, and at which level the mean of the draws is tested."""

    name: str
    unit: Unit
    alpha: float
    """Level of the test, 0 to 1."""
    corrected: bool
    """Whether p is compared with alpha after Holm's correction over all hypotheses."""
    exact: bool
    """Whether a difference must hold with sign flips of the draws as well; then what the method never shows, that a
    difference is absent, gets no p."""
    draws: Callable[[ScoreTable, Pairs, Sequence[str]], Draws | Refusal]
    """From a table, pairs and benchmarks to draws."""
    variants: Callable[[ScoreTable, Pairs, Sequence[str]], Iterable[tuple[str, Draws | Refusal]]]
    """The same test with other draws, each with its name: how much hangs on what is counted."""
    notes: tuple[str, ...]

    def method(self, outside_all: frozenset[str] = frozenset()) -> TableMethod:
        """Make the method of this test. `outside_all`: benchmarks that `on: all` does not stand for."""
        return TableMethod(self.name, frozenset(), self.unit, 1 - self.alpha, self.judge, outside_all)

    def judge(self, table: ScoreTable, questions: Sequence[Question]) -> Judged:
        """Judge all questions as one family; those with a missing cell or a single draw are not tested."""
        measured = [self.draws(table, question.hypothesis.pairs, question.benchmarks) for question in questions]
        family = [
            Unjudged(question.hypothesis.margin)
            if isinstance(draws, Refusal) or draws.values.size < 2
            else self._evidence(question.hypothesis, draws)
            for question, draws in zip(questions, measured, strict=True)
        ]
        rulings = rule(family, self.alpha, corrected=self.corrected)
        n = len(family)
        verdicts = tuple(
            self._verdict(table, question, draws, evidence if isinstance(evidence, Evidence) else None, ruling, n)
            for question, draws, evidence, ruling in zip(questions, measured, family, rulings, strict=True)
        )
        return Judged(verdicts, self.notes)

    def _evidence(self, hypothesis: Hypothesis, draws: Draws) -> Evidence:
        """Test for a difference, whatever is expected: nothing else is ever shown."""
        return Evidence(
            hypothesis.expect,
            hypothesis.margin,
            self._interval(draws.values, draws.floor),
            may_be_equivalent=False,
            tests_choice=False,
            two_sided=True,
            p_exact=sign_flip_p(draws.values) if self.exact else None,
        )

    def _interval(self, values: Floats, floor: float = 0.0) -> Interval:
        spread = max(float(values.std(ddof=1)), floor)
        return t_interval(float(values.mean()), spread / math.sqrt(values.size), values.size - 1, 1 - self.alpha)

    def _verdict(
        self,
        table: ScoreTable,
        question: Question,
        measured: Draws | Refusal,
        evidence: Evidence | None,
        ruling: Ruling | None,
        n_claims: int,
    ) -> Verdict:
        hypothesis, benchmarks = question.hypothesis, question.benchmarks
        draws = None if isinstance(measured, Refusal) else measured
        interval = evidence.interval if evidence else None
        outcome = ruling.verdict if ruling else "undecided"
        effect = draws.effect if draws is not None else None
        basis = f"{number_of(len(hypothesis.pairs), 'pair')} on {number_of(len(benchmarks), 'benchmark')}"
        has_p = not self.exact or statement_of(hypothesis.expect) == "differs" or outcome in ("better", "worse")
        return Verdict(
            id=hypothesis.id,
            claim=hypothesis.claim,
            expect=hypothesis.expect,
            verdict=outcome,
            holds=ruling.holds if ruling else None,
            scope="checkpoints",
            method=self.name,
            pairs=hypothesis.pairs,
            benchmarks=benchmarks,
            effect=effect,
            unit=self.unit,
            interval=(interval.low, interval.high) if interval else None,
            level=1 - self.alpha,
            margin=hypothesis.margin,
            p=ruling.p if ruling and has_p else None,
            p_adjusted=ruling.p_adjusted if ruling and has_p else None,
            n_seeds=0,
            n_examples=0,
            n_pairs=len(hypothesis.pairs),
            n_cells=draws.n_cells if draws is not None else 0,
            reasons=tuple(self._reasons(hypothesis, measured, ruling, interval, n_claims)),
            sentence=refusal_sentence(measured)
            if isinstance(measured, Refusal)
            else result_sentence(outcome, effect, self.unit, interval, 1 - self.alpha, [basis]),
            p_exact=evidence.p_exact if evidence else None,
            by_benchmark=self._by_benchmark(draws, benchmarks),
            by_pair=self._by_pair(table, hypothesis, benchmarks) if draws is not None else (),
            sensitivity=self._sensitivity(table, hypothesis, benchmarks),
        )

    def _reasons(
        self,
        hypothesis: Hypothesis,
        measured: Draws | Refusal,
        ruling: Ruling | None,
        interval: Interval | None,
        n_claims: int,
    ) -> list[str]:
        if isinstance(measured, Refusal):
            return list(measured.reasons)
        reasons = [_NEVER[hypothesis.expect]] if hypothesis.expect in _NEVER else []
        if ruling is None:
            return [*reasons, "a single difference has no spread: nothing can be tested"]
        if ruling.holds is not None:
            reasons = []
        if self.exact:
            reasons += _too_few(measured.values.size, self.alpha)
        if not reasons:
            if ruling.vetoed == ruling.corrected:  # what forbids it is the correction, of the exact test or of both
                ruling = replace(ruling, vetoed=None)
            reasons = ruling_reasons(hypothesis, ruling, interval, self.alpha, self.corrected, "exact test")
            if self.exact and ruling.corrected is not None:
                reasons += _too_few_among(measured.values.size, n_claims, self.alpha)
        return [*reasons, f"no examples, no seeds: a t test over {measured.basis}"]

    def _by_benchmark(self, draws: Draws | None, benchmarks: Sequence[str]) -> tuple[Component, ...]:
        """Average over pairs. These share models, and are no sample of anything: there is no interval."""
        if draws is None:
            return ()
        return tuple(Component(name, draws.by_benchmark[name], None) for name in benchmarks)

    def _by_pair(self, table: ScoreTable, hypothesis: Hypothesis, benchmarks: Sequence[str]) -> tuple[Component, ...]:
        """Average each pair over its own draws, with the t interval where there are several."""
        components = []
        for pair in hypothesis.pairs:
            draws = self.draws(table, [pair], benchmarks)
            assert not isinstance(draws, Refusal), "pairs of a contrast that was compared"
            interval = self._interval(draws.values, draws.floor) if draws.values.size > 1 else None
            ends = (interval.low, interval.high) if interval else None
            components.append(Component(f"{pair[0]} -> {pair[1]}", draws.effect, ends))
        return tuple(components)

    def _sensitivity(
        self, table: ScoreTable, hypothesis: Hypothesis, benchmarks: Sequence[str]
    ) -> tuple[Sensitivity, ...]:
        tests = []
        for name, draws in self.variants(table, hypothesis.pairs, benchmarks):
            if isinstance(draws, Refusal) or draws.values.size < 2:
                continue
            evidence = self._evidence(hypothesis, draws)
            (ruling,) = rule([evidence], self.alpha, corrected=False)
            assert ruling is not None
            p = evidence.p_of("differs")
            tests.append(Sensitivity(name, ruling.verdict, evidence.interval.value, p, draws.values.size))
        return tuple(tests)


def _too_few(n: int, alpha: float) -> list[str]:
    """State that no difference can be shown, where even equal signs of all draws are too likely by chance."""
    least = 2 * 0.5**n
    if least <= alpha:
        return []
    needed = math.ceil(math.log2(2 / alpha))
    cause = f"{number_of(n, 'benchmark')} all of one sign happen by chance with p {p_text(least)}"
    return [f"{cause}: nothing can be shown at {alpha:g} with fewer than {needed}"]


def _too_few_among(n: int, n_claims: int, alpha: float) -> list[str]:
    """State that no difference can be the first of several claims that is shown, for the same reason."""
    least = 2 * 0.5**n
    if least * n_claims <= alpha:
        return []
    among = f"too likely for the clearest of {number_of(n_claims, 'claim')}"
    return [f"{number_of(n, 'benchmark')} all of one sign happen by chance with p {p_text(least)}: {among}"]
