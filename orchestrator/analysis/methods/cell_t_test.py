"""A one-sample t test over the differences of a table's cells (benchmark x pair): what methods over tables share.

It takes the cells for independent draws. They are not: pairs share models, benchmarks share images and skills.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.analysis.intervals import Floats, Interval, t_interval
from orchestrator.analysis.methods.contract import Judged, Question, TableMethod
from orchestrator.analysis.rule import Evidence, Ruling, rule
from orchestrator.analysis.score_table import ScoreTable, cell_differences
from orchestrator.analysis.verdict_model import Component, Refusal, Sensitivity, Unit, Verdict
from orchestrator.analysis.verdict_sentences import refusal_sentence, result_sentence, ruling_reasons
from search_spaces.quantities import number_of
from search_spaces.study import Hypothesis

NOT_INDEPENDENT = (
    "No examples, no seeds: a t test over the differences of benchmarks and pairs, which are not independent draws."
)
NEVER_EQUIVALENT = (
    "A table compares checkpoints: it never shows that two choices are equivalent, or that one is not worse."
)
_REFCOCO = ("refcoco", "refcoco+", "refcocog")


@dataclass(frozen=True)
class CellTTest:
    """How cells are subtracted, and at which level the mean of their differences is tested."""

    name: str
    unit: Unit
    alpha: float
    """Level of the test, 0 to 1."""
    corrected: bool
    """Whether p is compared with alpha after Holm's correction over all hypotheses."""
    two_sided: bool
    """Whether p is two-sided whatever is expected."""
    notes: tuple[str, ...]

    def method(self, outside_all: frozenset[str] = frozenset()) -> TableMethod:
        """Make the method of this test. `outside_all`: benchmarks that `on: all` does not stand for."""
        return TableMethod(self.name, frozenset(), self.unit, 1 - self.alpha, self.judge, outside_all)

    def judge(self, table: ScoreTable, questions: Sequence[Question]) -> Judged:
        """Judge all questions as one family; those with a missing cell or a single one are not tested."""
        measured = [
            cell_differences(table, question.hypothesis.pairs, question.benchmarks, self.unit) for question in questions
        ]
        evidence = {
            i: self._evidence(questions[i].hypothesis, values)
            for i, values in enumerate(measured)
            if not isinstance(values, Refusal) and values.size > 1
        }
        rulings = dict(zip(evidence, rule([*evidence.values()], self.alpha, corrected=self.corrected), strict=True))
        verdicts = tuple(
            self._verdict(table, question, measured[i], rulings.get(i)) for i, question in enumerate(questions)
        )
        return Judged(verdicts, self.notes)

    def _evidence(self, hypothesis: Hypothesis, differences: Floats) -> Evidence:
        return Evidence(
            hypothesis.expect,
            hypothesis.margin,
            self._interval(differences),
            check=None,
            may_be_equivalent=False,
            two_sided=self.two_sided,
        )

    def _interval(self, differences: Floats) -> Interval:
        error = float(differences.std(ddof=1)) / math.sqrt(differences.size)
        return t_interval(float(differences.mean()), error, differences.size - 1, 1 - self.alpha)

    def _verdict(
        self, table: ScoreTable, question: Question, measured: Floats | Refusal, ruling: Ruling | None
    ) -> Verdict:
        hypothesis, benchmarks = question.hypothesis, question.benchmarks
        differences = None if isinstance(measured, Refusal) else measured
        interval = self._interval(differences) if differences is not None and differences.size > 1 else None
        outcome = ruling.verdict if ruling else "undecided"
        effect = float(differences.mean()) if differences is not None else None
        basis = f"{number_of(len(hypothesis.pairs), 'pair')} on {number_of(len(benchmarks), 'benchmark')}"
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
            p=ruling.p if ruling else None,
            p_adjusted=ruling.p_adjusted if ruling else None,
            n_seeds=0,
            n_examples=0,
            n_pairs=len(hypothesis.pairs),
            n_cells=differences.size if differences is not None else 0,
            reasons=tuple(self._reasons(hypothesis, measured, ruling, interval)),
            sentence=refusal_sentence(measured)
            if isinstance(measured, Refusal)
            else result_sentence(outcome, effect, self.unit, interval, 1 - self.alpha, [basis]),
            by_benchmark=self._components(differences, benchmarks, axis=0),
            by_pair=self._components(differences, [f"{a} -> {b}" for a, b in hypothesis.pairs], axis=1),
            sensitivity=self._sensitivity(table, hypothesis, benchmarks),
        )

    def _reasons(
        self, hypothesis: Hypothesis, measured: Floats | Refusal, ruling: Ruling | None, interval: Interval | None
    ) -> list[str]:
        if isinstance(measured, Refusal):
            return list(measured.reasons)
        if ruling is None:
            return ["a single difference has no spread: nothing can be tested"]
        reasons = ruling_reasons(hypothesis, ruling, interval, self.alpha, self.corrected)
        return [*reasons, f"no examples, no seeds: a t test over {measured.size} cells"]

    def _components(self, differences: Floats | None, names: Sequence[str], axis: int) -> tuple[Component, ...]:
        """Average along pairs (axis 0) or benchmarks (axis 1), with the t interval where there are several."""
        if differences is None:
            return ()
        components = []
        for name, column in zip(names, differences.T if axis == 0 else differences, strict=True):
            interval = self._interval(column) if column.size > 1 else None
            components.append(
                Component(name, float(column.mean()), (interval.low, interval.high) if interval else None)
            )
        return tuple(components)

    def _sensitivity(
        self, table: ScoreTable, hypothesis: Hypothesis, benchmarks: Sequence[str]
    ) -> tuple[Sensitivity, ...]:
        """Repeat the test with the RefCOCO sets, which ask one skill of one kind of picture, counted once, and without
        VSR, a coin flip for most published models."""
        tests = []
        if all(name in benchmarks for name in _REFCOCO):
            joined = _refcoco_joined(table)
            rest = [name for name in benchmarks if name not in _REFCOCO[1:]]
            if all(model in joined.scores for pair in hypothesis.pairs for model in pair):
                name = "refcoco, refcoco+ and refcocog counted once"
                tests.append(self._test_on(name, joined, hypothesis, rest))
        if "vsr" in benchmarks:
            rest = [name for name in benchmarks if name != "vsr"]
            tests.append(self._test_on("without vsr", table, hypothesis, rest))
        return tuple(test for test in tests if test is not None)

    def _test_on(
        self, name: str, table: ScoreTable, hypothesis: Hypothesis, benchmarks: Sequence[str]
    ) -> Sensitivity | None:
        differences = cell_differences(table, hypothesis.pairs, benchmarks, self.unit)
        if isinstance(differences, Refusal) or differences.size < 2:
            return None
        evidence = self._evidence(hypothesis, differences)
        ruling = rule([evidence], self.alpha, corrected=False)[0]
        return Sensitivity(name, ruling.verdict, evidence.interval.value, ruling.p, differences.size)


def _refcoco_joined(table: ScoreTable) -> ScoreTable:
    """Replace `refcoco` by the mean of the three RefCOCO sets, for the models that have all of them."""
    scores = {
        model: {**row, "refcoco": sum(row[name] for name in _REFCOCO) / len(_REFCOCO)}
        for model, row in table.scores.items()
        if all(name in row for name in _REFCOCO)
    }
    return ScoreTable(table.name, table.benchmarks, scores)
